"""The pA distributions of several runs in one figure: mass at the left is images given up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from certd.reports.figures.distribution import RECOVERED, names_of, sentence
from certd.reports.figures.figure import Axis, Figure, Line, Rule, Table, points
from certd.reports.printed import conditions, floored, percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from certd.reports.results import Results

TABLE_POINTS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)


def label_share_curves(*runs: Results) -> Figure:
    """Draw the share of images whose label has at most x of the draws; one curve a labelled run."""
    shares = [_known(run) for run in runs]
    least = 0.5 if any(run.recovered for run in runs) else 0.0
    names = names_of(runs)
    rows = tuple(
        (f"{x:g}", *(floored(float((one <= x).mean())) for one in shares)) for x in TABLE_POINTS if x >= least
    )
    return Figure(
        name="label-shares",
        title="pA distribution: share of images whose label has at most x of the draws",
        conditions=conditions(runs[0]),
        summary=sentence(
            f"{name}: {percent(float((one <= 0.5).mean()))} of the images at or below one half, "
            f"{percent(float((one >= 0.9).mean()))} at 0.9 or above"
            for name, one in zip(names, shares, strict=True)
        ),
        caption="A curve that lies higher has more mass at small pA. At or below one half nothing is "
        f"certified, and the average radius is blind to how far below.{RECOVERED if least else ''}",
        x=Axis("x = k / n of the label", least, 1),
        y=Axis("share of images", 0, 1),
        table=Table(("x", *names), rows),
        lines=tuple(
            Line(name, _steps(one, least), "step-after") for name, one in zip(names, shares, strict=True)
        ),
        rules=() if least else (Rule(0.5, "1/2"),),
    )


def _known(run: Results) -> NDArray[np.float64]:
    shares = run.label_shares
    assert shares is not None  # noqa: S101 - only labelled runs are compared
    return shares


def _steps(shares: NDArray[np.float64], least: float) -> tuple[tuple[float, float], ...]:
    at = np.unique(np.concatenate([[least, 1.0], shares[shares >= least]]))
    return points(at, np.searchsorted(np.sort(shares), at, side="right") / len(shares))
