"""Figures and tables of a sweep over soups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.reports.figures.figure import Axis, Figure, Line, Table, points
from certd.reports.printed import floored, percent
from certd.reports.radius import average_certified_radius

if TYPE_CHECKING:
    from certd.reports.soup_report import SoupReport, SoupRow


def soup_table(report: SoupReport) -> Table:
    """Return one row a soup, best first, then the ensemble: threats, their union, ACR and abstentions."""
    several = len(report.threats) > 1
    sigmas = list(report.rows[0].results)
    header = (
        *report.ingredients,
        *(threat.title for threat in report.threats),
        *(("all at once",) if several else ()),
        *(f"{what} {sigma:g}" for sigma in sigmas for what in ("CA(0)", "ACR", "abstained")),
    )
    ensemble = [row for row in report.rows if row.weights is None]
    rows = [*report.best(len(report.rows)), *ensemble]
    return Table(header, tuple(_cells(report, row, several=several) for row in rows))


def selection_table(report: SoupReport) -> Table:
    """Return how good a soup is that k images chose, on images held out."""
    return Table(
        ("chosen by images", "mean held out", "spread", "least", "largest", "soups chosen", "best possible"),
        tuple(
            (str(row["images"]), *(floored(row[key]) for key in ("mean", "spread", "least", "largest")),
             str(row["soups_chosen"]), floored(row["best_possible"]))
            for row in report.selection()
        ),
    )  # fmt: skip


def line_figure(report: SoupReport) -> Figure | None:
    """Draw every threat against the weight of the second of two models; None for another number of models."""
    soups = [row for row in report.rows if row.weights is not None]
    if len(report.ingredients) != 2 or len(soups) < 2:
        return None
    first, second = report.ingredients
    xs = [row.weights[1] / report.units for row in soups if row.weights is not None]
    order = sorted(range(len(xs)), key=xs.__getitem__)
    at = [xs[i] for i in order]
    lines = [
        Line(
            threat.title, points(at, [report.withstood(soups[i], threat).mean() for i in order]), marked=True
        )
        for threat in report.threats
    ]
    if len(report.threats) > 1:
        union = [report.union(soups[i]).mean() for i in order]
        lines.append(Line("all at once", points(at, union), marked=True))
    lines += [
        Line("ensemble, all at once", points((at[0], at[-1]), [report.union(row).mean()] * 2), yardstick=True)
        for row in report.rows
        if row.weights is None
    ]
    best = report.best(1)[0]
    return Figure(
        name="soups-on-a-line",
        title=f"Soups of {first} and {second}",
        conditions=report.conditions,
        summary=f"Most images withstand every threat at {_said(report, best)}: "
        f"{percent(report.score(best)[0])}.",
        caption=f"At 0 stands {first} alone, at 1 {second} alone; beyond them weights are negative. All "
        "soups saw the same images with the same noise.",
        x=Axis(f"weight of {second}", at[0], at[-1]),
        y=Axis("share of images", 0, 1),
        table=soup_table(report),
        lines=tuple(lines),
    )


def _said(report: SoupReport, row: SoupRow) -> str:
    weights = row.weights or ()
    return ", ".join(
        f"{weight / report.units:g} {name}" for weight, name in zip(weights, report.ingredients, strict=True)
    )


def _cells(report: SoupReport, row: SoupRow, *, several: bool) -> tuple[str, ...]:
    weights = (
        ["ensemble", *[""] * (len(report.ingredients) - 1)]
        if row.weights is None
        else [f"{weight / report.units:g}" for weight in row.weights]
    )
    shares = [floored(float(report.withstood(row, threat).mean())) for threat in report.threats]
    union = [floored(float(report.union(row).mean()))] if several else []
    figures = [
        floored(value)
        for results in row.results.values()
        for value in (
            float(results.correct.mean()),
            float(average_certified_radius(results.radii, results.correct)),
            float((~results.certified).mean()),
        )
    ]
    return (*weights, *shares, *union, *figures)
