"""A sweep over soups as one HTML page that loads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.reports.figures.soups import line_figure, selection_table, soup_table
from certd.reports.rendering import render_page
from certd.reports.soup_report import TOP, WINNERS_CURSE

if TYPE_CHECKING:
    from certd.reports.soup_report import SoupReport

CELL = 88.0


def soup_page(report: SoupReport, top: int = TOP) -> str:
    """Return a sweep as a page: figures, what the best are made of, all soups, what choosing costs.

    Args:
        report: The sweep.
        top: How many soups are taken apart into what they are made of.
    """
    figure = line_figure(report)
    return render_page(
        "soups.html.j2",
        title=f"Soups of {', '.join(report.ingredients)}",
        conditions=report.conditions,
        warning=WINNERS_CURSE,
        threats=[threat.title for threat in report.threats],
        figures=() if figure is None else (figure,),
        ternary=ternary_of(report),
        heat=heat_of(report, top),
        ingredients=report.ingredients,
        table=soup_table(report),
        selection=selection_table(report),
    )


def heat_of(report: SoupReport, top: int = TOP) -> list[tuple[str, list[tuple[str, int, bool]]]]:
    """Return the best soups with their weights: the words, how strong the shade is in percent, the sign."""
    best = report.best(top)
    most = max((abs(weight) for row in best for weight in row.weights or ()), default=1) or 1
    return [
        (f"{100 * report.score(row)[0]:.1f} %",
         [(f"{weight / report.units:g}", round(70 * abs(weight) / most), weight < 0)
          for weight in row.weights or ()])
        for row in best
    ]  # fmt: skip


def ternary_of(report: SoupReport) -> list[tuple[float, float, str, int, str]]:
    """Return a dot a soup of three models: place, share in words, shade in percent, weights; else nothing."""
    soups = [row for row in report.rows if row.weights is not None]
    if len(report.ingredients) != 3 or not soups:
        return []
    scores = [report.score(row)[0] for row in soups]
    low, high = min(scores), max(scores)
    found = []
    for row, score in zip(soups, scores, strict=True):
        _, right, top = (weight / report.units for weight in row.weights or (0, 0, 0))
        shade = 100 if high == low else round(10 + 90 * (score - low) / (high - low))
        said = ", ".join(f"{weight / report.units:g}" for weight in row.weights or ())
        found.append(
            (5 * CELL * (right + top / 2), 5 * CELL * 0.866 * (1 - top), f"{100 * score:.0f}", shade, said)
        )
    return found
