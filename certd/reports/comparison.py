"""Several runs beside one another: the tables and sentences that a reader of a comparison needs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from certd.errors import InvalidParameter
from certd.reports.compare import Comparison, compare
from certd.reports.figures.distribution import names_of
from certd.reports.figures.figure import Table
from certd.reports.figures.overlay import overlay
from certd.reports.hardness import hidden_trade
from certd.reports.headline import runs_table
from certd.reports.mass import Mass, mass_of, mass_table
from certd.reports.printed import ceiled, conditions, floored, trimmed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certd.reports.dominance import Order
    from certd.reports.figures import Figure
    from certd.reports.results import Results

MOST_LISTED = 6
BOOTSTRAP = "The interval is a bootstrap over the images of one run; the difference of two runs has its own."
SIGNIFICANCE = 0.05
"""Level of McNemar's test at radius 0 at which a finding is worth a sentence at the top."""


@dataclass(frozen=True, slots=True)
class TitledTable:
    """A table with what stands above and below it."""

    title: str
    table: Table
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Runs against the first of them.

    Attributes:
        names: One a run, distinct.
        conditions: Those of the first run.
        marks: Conditions in which runs differ although the comparison was forced.
        masses: Of each run, its ACR with an interval and its mass at small and at large pA.
        pairs: Each other run's comparison with the first.
        findings: Sentences on larger averages that certify fewer images, where chance does not explain how
            many fewer; to be read first.
        tables: What they say, printed.
        figures: The pA distribution, S(x) and certified accuracy, one curve a run.
    """

    names: tuple[str, ...]
    conditions: str
    marks: tuple[str, ...]
    masses: tuple[Mass, ...]
    pairs: tuple[Comparison, ...]
    findings: tuple[str, ...]
    tables: tuple[TitledTable, ...]
    figures: tuple[Figure, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the numbers under keys that do not change."""
        return {
            "runs": list(self.names),
            "conditions": self.conditions,
            "marks": list(self.marks),
            "findings": list(self.findings),
            "pa_mass": [
                {"run": name, **asdict(mass)} for name, mass in zip(self.names, self.masses, strict=True)
            ],
            "against_first": [
                {"run": name, **asdict(pair)} for name, pair in zip(self.names[1:], self.pairs, strict=True)
            ],
        }


def compare_runs(runs: Sequence[Results], *, force: bool = False) -> RunComparison:
    """Hold every run against the first.

    Args:
        runs: Two or more labelled runs.
        force: Compare although conditions differ, and mark every output.

    Raises:
        InvalidParameter: If there are fewer than two, conditions differ and ``force`` is not given, a run has
            no labels, or two have no image in common.
    """
    if len(runs) < 2:
        raise InvalidParameter("A comparison needs two runs or more.")
    pairs = tuple(compare(runs[0], other, force=force) for other in runs[1:])
    figures = overlay(*runs, force=force)
    names = names_of(tuple(runs))
    marks = tuple(dict.fromkeys(mark for pair in pairs for mark in pair.marks))
    masses = tuple(mass_of(run) for run in runs)
    tables = [TitledTable("The runs", _overview(runs, names)), _mass_table(names, masses)]
    for name, pair in zip(names[1:], pairs, strict=True):
        tables += _pair_tables(names[0], name, pair)
    trades = [
        hidden_trade(pair.hardness, pair.averages, (names[0], name))
        for name, pair in zip(names[1:], pairs, strict=True)
        if pair.mcnemar[0].p_value < SIGNIFICANCE
    ]
    findings = tuple(trade for trade in trades if trade is not None)
    return RunComparison(names, conditions(runs[0]), marks, masses, pairs, findings, tuple(tables), figures)


def _overview(runs: Sequence[Results], names: Sequence[str]) -> Table:
    table = runs_table(runs)
    rows = tuple((name, *row[1:]) for name, row in zip(names, table.rows, strict=True))
    return Table(("run", *table.header[1:]), rows)


def _mass_table(names: Sequence[str], masses: Sequence[Mass]) -> TitledTable:
    return TitledTable(
        "The averages, and the mass at small pA that they do not show",
        mass_table(dict(zip(names, masses, strict=True))),
        (
            "k / n is that of the label. An image at or below .5 counts 0 in the ACR, however far below.",
            BOOTSTRAP,
        ),
    )


def _pair_tables(first: str, second: str, pair: Comparison) -> list[TitledTable]:
    difference = pair.average_radius
    interval = f"{floored(difference.lower)} to {ceiled(difference.upper)} at {difference.level:.0%}"
    gap = (
        f"ACR of {first} minus {second}: {difference.difference:+.4f}, "
        f"bootstrap interval {interval} over the images."
    )
    sentences = (
        f"S(x): {_order(pair.shares, first, second, 'x')}",
        f"Certified accuracy: {_order(pair.accuracy, first, second, 'radius')}",
        gap,
        _flips(pair.flips),
    )
    tests = tuple(
        (trimmed(test.radius), str(test.only_first), str(test.only_second), f"{test.p_value:.2g}")
        for test in pair.mcnemar
    )
    hard = tuple((str(row.label), str(row.lost), str(row.gained)) for row in pair.hard_images)
    lost, gained = (sum(getattr(row, way) for row in pair.hard_images) for way in ("lost", "gained"))
    bands = tuple(
        (f"{'from' if not band.above else 'above'} {band.above:g} to {band.up_to:g}", str(band.images),
         str(band.certified_first), str(band.certified_second), f"{band.difference:+.4f}")
        for band in pair.hardness
    )  # fmt: skip
    return [
        TitledTable(
            f"{second} against {first}: who pays, by k / n of the label in {first}",
            Table(
                ("k / n", "images", f"certified by {first}", f"certified by {second}", "adds to ACR"), bands
            ),
            ("Certified: for the label, at radius 0. The last column sums to the difference of the ACRs.",),
        ),
        TitledTable(
            f"{second} against {first}: images certified by one alone",
            Table(("radius", f"{first} alone", f"{second} alone", "McNemar p"), tests),
            sentences,
        ),
        TitledTable(
            f"{second} against {first}: hard images, k / n of the label above one half",
            Table(("class", "lost", "gained"), (*hard, ("all", str(lost), str(gained)))),
            ("Lost: above one half in the first run and no longer in the second.",),
        ),
    ]


def _order(order: Order, first: str, second: str, axis: str) -> str:
    if order.dominant != "neither":
        leader = first if order.dominant == "first" else second
        return f"{leader} is nowhere below on these images."
    if not order.crossings:
        return "the curves coincide on these images."
    places = ", ".join(f"{place:.3g}" for place in order.crossings[:MOST_LISTED])
    more = len(order.crossings) - MOST_LISTED
    return f"the curves cross at {axis} = {places}{f' and {more} more' if more > 0 else ''}."


def _flips(flips: tuple[int, ...] | None) -> str:
    if flips is None:
        return "How the order depends on the budget cannot be said from these counts."
    if not flips:
        return "At every budget from 10 to 10,000,000 draws the order by expected ACR is the same."
    places = ", ".join(f"{flip:,}" for flip in flips[:MOST_LISTED])
    return f"The order by expected ACR turns over at budgets of about {places} draws."
