"""A comparison as one HTML page that loads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.reports.rendering import render_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certd.reports.comparison import RunComparison


def comparison_page(comparison: RunComparison, about: Sequence[str] = ()) -> str:
    """Return a comparison as a page: the curves first, then who leads where, then the tables.

    Args:
        comparison: What is shown.
        about: Paragraphs on where the runs come from, for a reader who has the page alone.
    """
    return render_page(
        "comparison.html.j2",
        title=" and ".join(comparison.names)
        if len(comparison.names) == 2
        else f"{len(comparison.names)} runs",
        conditions=comparison.conditions,
        about=about,
        marks=comparison.marks,
        findings=comparison.findings,
        figures=comparison.figures,
        tables=comparison.tables,
    )
