"""Stored runs in the order of what they certify; only where their numbers mean the same."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from certd.errors import InvalidParameter
from certd.reports.accuracy import certified_counts
from certd.reports.comparability import differences
from certd.reports.figures.figure import Table
from certd.reports.printed import conditions, floored, trimmed
from certd.reports.radius import average_certified_radius
from certd.reports.rendering import render_page
from certd.reports.summary import grid_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certd.reports.results import Results

MOST_COLUMNS = 8
ACR = "acr"


@dataclass(frozen=True, slots=True)
class Entry:
    """One run of a leaderboard.

    Attributes:
        rank: Place among the runs of its group, from 1; equal figures share a place.
        run: What it is called among the others.
        model: Its base classifier's name.
        dataset: What it was certified on; None where that has no name.
        images: How many.
        sigma: Noise level, input units.
        plan: How draws were spent.
        n: Estimation draws an image at most; None where the run does not say.
        alpha: Failure probability of one certificate.
        draws: Draws an image, on average: all that were spent, or the counted ones where a log says no more.
        acr: Average certified radius over all images; never to be read without the columns before it.
        certified_accuracy: Share of all images by radius.
        abstention_rate: Share of all images.
    """

    rank: int
    run: str
    model: str
    dataset: str | None
    images: int
    sigma: float
    plan: str
    n: int | None
    alpha: float
    draws: float
    acr: float
    certified_accuracy: dict[str, float]
    abstention_rate: float


@dataclass(frozen=True, slots=True)
class Group:
    """Runs under one set of conditions, best first."""

    conditions: str
    entries: tuple[Entry, ...]
    table: Table


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Groups of runs that may be ranked, each by itself.

    Attributes:
        by: What they are ranked by, in words.
        groups: The largest first.
    """

    by: str
    groups: tuple[Group, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the numbers under stable names."""
        return {
            "by": self.by,
            "groups": [
                {"conditions": group.conditions, "entries": [asdict(entry) for entry in group.entries]}
                for group in self.groups
            ],
        }

    def page(self) -> str:
        """Return one HTML page that loads nothing."""
        return render_page("leaderboard.html.j2", title="Certified runs", by=self.by, groups=self.groups)


def leaderboard(
    runs: Sequence[Results], by: float | str = 0.0, names: Sequence[str] | None = None
) -> Leaderboard:
    """Rank runs by certified accuracy at a radius, or by ACR.

    Runs that differ in sigma, budget, alpha, noise, plan, data set or images stand in groups of their own:
    across those a larger number need not be a better model.

    Args:
        runs: Labelled runs, at least one.
        by: A radius in input units, or ``acr``.
        names: One a run, to tell runs of one model apart; the models' names if there are none.

    Raises:
        InvalidParameter: If there is no run, one has no labels, or ``by`` is neither.
    """
    if not runs or any(run.labels is None for run in runs):
        raise InvalidParameter("A leaderboard is of one run or more, each with a label for every image.")
    if by != ACR and not (isinstance(by, int | float) and 0 <= by < math.inf):
        raise InvalidParameter(f"Runs are ranked by a radius or by acr, not by {by}.", pointer="/by")
    called = [run.model.split("@")[0] for run in runs] if names is None else names
    groups: list[list[tuple[str, Results]]] = []
    for named in zip(called, runs, strict=True):
        place = next((group for group in groups if not differences(group[0][1], named[1])), None)
        if place is None:
            groups.append([named])
        else:
            place.append(named)
    said = (
        "average certified radius (ACR)"
        if isinstance(by, str)
        else f"certified accuracy at radius {trimmed(by)}"
    )
    return Leaderboard(said, tuple(_group(group, by) for group in sorted(groups, key=len, reverse=True)))


def _group(runs: Sequence[tuple[str, Results]], by: float | str) -> Group:
    first = runs[0][1]
    grid = sorted({*grid_of(first)[:MOST_COLUMNS], *([] if isinstance(by, str) else [by])})
    figures = [_figure(run, by) for _, run in runs]
    best_first = sorted(range(len(runs)), key=lambda place: -figures[place])
    entries = tuple(
        _entry(*runs[place], 1 + sum(other > figures[place] for other in figures), grid)
        for place in best_first
    )
    return Group(conditions(first), entries, _table(entries))


def _figure(run: Results, by: float | str) -> float:
    if isinstance(by, str):
        return average_certified_radius(run.radii, run.correct)
    return int(certified_counts(run.radii, run.correct, [by])[0]) / len(run)


def _entry(name: str, run: Results, rank: int, grid: Sequence[float]) -> Entry:
    counts = certified_counts(run.radii, run.correct, list(grid))
    return Entry(
        rank=rank,
        run=name,
        model=run.model.split("@")[0],
        dataset=run.dataset,
        images=len(run),
        sigma=float(run.settings["sigma"]),
        plan=str(run.settings["plan"]),
        n=run.settings.get("n"),
        alpha=run.alpha,
        draws=float(run.draws.mean()) if run.total_draws is None else run.total_draws / len(run),
        acr=average_certified_radius(run.radii, run.correct),
        certified_accuracy={
            trimmed(radius): int(count) / len(run) for radius, count in zip(grid, counts, strict=True)
        },
        abstention_rate=float(1 - run.certified.mean()),
    )


def _table(entries: Sequence[Entry]) -> Table:
    radii = tuple(entries[0].certified_accuracy)
    header = (
        "run", "rank", "images", "sigma", "plan", "n", "alpha", "draws an image", "ACR",
        *(f"r = {radius}" for radius in radii), "abstained",
    )  # fmt: skip
    return Table(header, tuple(_row(entry) for entry in entries))


def _row(entry: Entry) -> tuple[str, ...]:
    return (
        entry.run,
        str(entry.rank),
        f"{entry.images:,}",
        f"{entry.sigma:g}",
        entry.plan,
        "not said" if entry.n is None else f"{entry.n:,}",
        f"{entry.alpha:g}",
        f"{entry.draws:,.0f}",
        floored(entry.acr),
        *(floored(share, 3) for share in entry.certified_accuracy.values()),
        floored(entry.abstention_rate, 3),
    )
