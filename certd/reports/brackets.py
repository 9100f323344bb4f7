"""Certified radii beside what an attack found: how far the proof is from the truth at most."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from certd.reports.figures.figure import Axis, Figure, Line, Table, points
from certd.reports.printed import ceiled, floored, percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from certd.attacks.bracket import Bracket

MOST_ROWS = 50
CONTRADICTION = (
    "Image {}: a perturbation of length {} was found inside the certified radius {}. One of the two is "
    "false: the certificate, with probability at most {:g}, or the test of what was found, with probability "
    "at most {:g}. Draw both again with other seeds before you trust either."
)


@dataclass(frozen=True, slots=True, eq=False)
class BracketReport:
    """The brackets of a run.

    Attributes:
        brackets: One a certified image that was attacked.
        made: How, as the file's header says.
        total: Images of the run, certified or not.
    """

    brackets: Sequence[Bracket]
    made: Mapping[str, Any]
    total: int

    @property
    def found(self) -> list[Bracket]:
        """Return the brackets that are closed from above."""
        return [each for each in self.brackets if each.attacked is not None]

    @property
    def conditions(self) -> str:
        """Say in one line how the brackets were made."""
        search, run = self.made["search"], self.made["run"]
        return (
            f"{run['norm']} radii at sigma = {run['sigma']:g}, alpha = {run['alpha']:g} · PGD on the mean of "
            f"{search['copies']} noisy copies, {search['rounds']} rounds of {search['steps']} steps, up to "
            f"{search['eps']:g} · tested with {search['n']:,} draws at alpha = {search['alpha']:g} · "
            f"{self.made['toolbox']} · {len(self.brackets):,} certified images of {self.total:,}"
        )

    @property
    def warnings(self) -> list[str]:
        """Return a sentence for each bracket whose ends contradict one another."""
        alphas = self.made["run"]["alpha"], self.made["search"]["alpha"]
        return [
            CONTRADICTION.format(
                each.image_id, ceiled(each.attacked or 0.0), floored(each.certified), *alphas
            )
            for each in self.brackets
            if each.contradiction
        ]

    def as_json(self) -> dict[str, Any]:
        """Return the numbers under stable names."""
        return {
            "images": len(self.brackets),
            "found": len(self.found),
            "median_certified_share": self.median_share,
            "contradictions": [each.image_id for each in self.brackets if each.contradiction],
            "brackets": [
                {name: value for name, value in asdict(each).items() if name != "perturbed"}
                for each in self.brackets
            ],
            "made": dict(self.made),
            "warnings": self.warnings,
        }

    @property
    def median_share(self) -> float | None:
        """Return the median of certified over attacked length where something was found; None of nothing."""
        shares = [each.certified / each.attacked for each in self.found if each.attacked]
        return float(np.median(shares)) if shares else None


def bracket_summary(report: BracketReport) -> Table:
    """Return what was attacked, what was found, and how near the proof comes."""
    share = report.median_share
    rows = (
        ("certified images attacked", f"{len(report.brackets):,}"),
        ("radius bounded from above", f"{len(report.found):,}"),
        ("no other answer found", f"{len(report.brackets) - len(report.found):,}"),
        ("certified radius over attacked length, median", "none" if share is None else percent(share)),
        ("brackets that contradict themselves", f"{len(report.warnings):,}"),
    )
    return Table(("quantity", "value"), rows)


def bracket_figure(report: BracketReport) -> Figure:
    """Draw each attacked length over the certified radius; below the diagonal nothing may lie."""
    found = report.found
    certified, attacked = _ends(found)
    largest = max([each.certified for each in report.brackets] + attacked.tolist()) or 1.0
    return Figure(
        name="brackets",
        title="Between what the radius of each image lies",
        conditions=report.conditions,
        summary=f"{len(found):,} of {len(report.brackets):,} certified images have a bound from above.",
        caption="Each marker is an image: proved to the diagonal, refuted at the marker. A marker below the "
        "diagonal would mean that a certificate or a test is false. Images with no marker may be robust, or "
        "the search too weak.",
        x=Axis("certified radius", 0, largest),
        y=Axis("length of the perturbation found", 0, largest * 1.05),
        table=bracket_table(report),
        lines=(
            Line("images", points(certified, attacked), shape="unconnected", marked=True),
            Line("certified radius", ((0.0, 0.0), (largest, largest)), yardstick=True),
        ),
    )


def band_figure(report: BracketReport) -> Figure:
    """Draw the accuracy that is proved, and the accuracy that the attack left standing, at each radius."""
    right = [each for each in report.brackets if each.label in {None, each.predicted}]
    radii = np.unique([0.0, *(e.certified for e in right), *(e.attacked for e in right if e.attacked)])
    proved = np.array([sum(each.certified >= r for each in right) for r in radii]) / report.total
    standing = np.array([sum((e.attacked or np.inf) > r for e in right) for r in radii]) / report.total
    at = np.unique(np.searchsorted(radii, np.linspace(0, radii[-1], 11)))
    rows = tuple((floored(radii[i]), floored(proved[i]), ceiled(standing[i])) for i in at)
    return Figure(
        name="bracketed-accuracy",
        title="Accuracy that is proved, and that an attack left standing",
        conditions=report.conditions,
        summary=f"At radius 0 {percent(proved[0])} of all images are certified for their label.",
        caption="The accuracy of the smoothed classifier under the best attack lies between the curves, for "
        "the images it is certified on; the upper one says how good this attack was, and proves nothing.",
        x=Axis(f"{report.made['run']['norm']} radius", 0, float(radii[-1]) or 1.0),
        y=Axis("share of all images", 0, 1),
        table=Table(("radius", "certified", "not attacked"), rows),
        lines=(
            Line("certified", points(radii, proved), "step-before"),
            Line("left standing by the attack", points(radii, standing), "step-after"),
        ),
    )


def bracket_table(report: BracketReport) -> Table:
    """Return one row an image, those with the widest brackets first; the file holds them all."""
    order = sorted(report.brackets, key=lambda each: each.certified - (each.attacked or np.inf))
    rows = tuple(
        (
            str(each.image_id),
            str(each.predicted),
            floored(each.certified),
            "none found" if each.attacked is None else ceiled(each.attacked),
            "" if each.found_class is None else str(each.found_class),
        )
        for each in order[:MOST_ROWS]
    )
    return Table(("image", "certified for", "certified radius", "attacked at", "answer there"), rows)


def _ends(found: Sequence[Bracket]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    certified = np.array([each.certified for each in found], np.float64)
    attacked = np.array([each.attacked for each in found], np.float64)
    return certified, attacked
