"""The numbers that open a report, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.reports.budget_curve import most_frequent_share
from certd.reports.figures.figure import Table
from certd.reports.inequality import easy_share, uniform_easy_share
from certd.reports.printed import floored, percent, trimmed
from certd.reports.summary import EASY, grid_of
from certd.reports.weighted import mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certd.reports.results import Results

SHOWN_RADII = (0.25, 0.5, 1.0)
MOST_COLUMNS = 10


def accuracies(results: Results) -> Table:
    """Return the four accuracies that readers confuse, side by side.

    The accuracy of the base classifier on clean images takes no part in smoothing and is not in a run.
    """
    shares = results.label_shares
    noisy = "unknown" if results.recovered or shares is None else percent(mean(shares, results.label_weights))
    certified = results.certified_counts(SHOWN_RADII) / len(results)
    what = "certified" if results.top_k == 1 else f"certified among the top {results.top_k}"
    rows = [
        ("base classifier, clean images", "not recorded in a run"),
        ("base classifier under the noise", noisy),
        (
            f"smoothed classifier, prediction {what} and right",
            percent(mean(results.correct, results.weights)),
        ),
    ]
    rows += [
        (f"{what} at radius {trimmed(radius)}", percent(share))
        for radius, share in zip(SHOWN_RADII, certified, strict=True)
        if radius <= results.max_radius
    ]
    return Table(("accuracy of", "share of all images"), tuple(rows))


def average_with_defects(results: Results) -> Table:
    """Return ACR beside what it hides: the cap, the constant classifier, and where it comes from."""
    share = most_frequent_share(results)
    rows = [
        ("average certified radius (ACR)", floored(results.average_radius)),
        ("largest radius that the plan can certify", floored(results.max_radius)),
        (
            f"ACR of always answering the most frequent class ({percent(share)})",
            floored(share * results.max_radius),
        ),
    ]
    rows += [
        (
            f"part of ACR from k / n ≥ {least:g} ({percent(uniform_easy_share(least))} if pA were uniform)",
            percent(easy_share(results.credited, results.top_shares, least, results.weights)),
        )
        for least in EASY
    ]
    return Table(("quantity", "value"), tuple(rows))


def runs_table(runs: Sequence[Results], radii: Sequence[float] | None = None) -> Table:
    """Return one row a run: sigma, ACR, and certified accuracy at the radii of the longest grid.

    Args:
        runs: Labelled runs; check with :func:`certd.reports.comparability.require_comparable` first.
        radii: Columns instead of that grid, input units.
    """
    grid = list(radii or max((grid_of(run) for run in runs), key=len)[:MOST_COLUMNS])
    rows = tuple(
        (
            run.model.split("@")[0],
            f"{run.settings['sigma']:g}",
            floored(run.average_radius),
            *(floored(c / len(run), 3) for c in run.certified_counts(grid)),
        )
        for run in runs
    )
    return Table(("model", "sigma", "ACR", *(f"r = {trimmed(radius)}" for radius in grid)), rows)
