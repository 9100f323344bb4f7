"""A sweep over a mixture's weights as one HTML page that loads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.reports.figures.figure import Table
from certd.reports.figures.weights import by_weight, weight_figures
from certd.reports.printed import ceiled, conditions, percent, trimmed
from certd.reports.rendering import render_page
from certd.reports.weight_sweep import CHOOSE_ELSEWHERE

if TYPE_CHECKING:
    from certd.reports.weight_sweep import WeightSweep


def weight_page(sweep: WeightSweep) -> str:
    """Return a sweep as a page: what is mixed, the curves, the table, then the rule for the weight."""
    mixing = sweep.mixing
    return render_page(
        "weights.html.j2",
        title=f"{_name(mixing.robust)} mixed with {_name(mixing.standard)}",
        conditions=f"{conditions(sweep.smoothed)} · {mixing.product}",
        product=mixing.sentence.rpartition(";")[0],
        clean_accuracy=percent(sweep.clean_accuracy),
        bounds=sweep.mixtures[0].settings["mixture_bounds"],
        warning=CHOOSE_ELSEWHERE,
        figures=weight_figures(sweep),
        table=by_weight(sweep),
        rule=rule_table(sweep),
    )


def rule_table(sweep: WeightSweep) -> Table:
    """Return MixedNUTS' rule: the least weight that keeps each share certified at each radius."""
    shares = sorted({row.share for row in sweep.rule})
    found = {(row.radius, row.share): row.weight for row in sweep.rule}
    radii = sorted({row.radius for row in sweep.rule})
    rows = [
        (trimmed(radius), *("none" if (w := found[radius, share]) is None else ceiled(w) for share in shares))
        for radius in radii
    ]
    return Table(("radius", *(f"keep {100 * share:g} %" for share in shares)), tuple(rows))


def _name(reference: str) -> str:
    return reference.partition("@")[0]
