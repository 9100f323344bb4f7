"""The brackets of a run as one HTML page that loads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.reports.brackets import band_figure, bracket_figure, bracket_summary
from certd.reports.rendering import render_page

if TYPE_CHECKING:
    from certd.reports.brackets import BracketReport


def bracket_page(report: BracketReport) -> str:
    """Return the brackets as a page: what they say, warnings, the numbers, the figures."""
    run, search = report.made["run"], report.made["search"]
    return render_page(
        "brackets.html.j2",
        title=f"{run['model'].partition('@')[0]} attacked: between what its radii lie",
        conditions=report.conditions,
        alpha=run["alpha"],
        search_alpha=search["alpha"],
        warnings=report.warnings,
        summary=bracket_summary(report),
        figures=(bracket_figure(report), band_figure(report)) if report.brackets else (),
    )
