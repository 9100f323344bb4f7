"""The tables of a run under their names, in the forms that papers take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from certd.errors import NotFound
from certd.reports.figures import gallery
from certd.reports.headline import accuracies, average_with_defects, runs_table
from certd.reports.printed import conditions
from certd.reports.tables import to_csv, to_latex, to_markdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certd.reports.figures import Table
    from certd.reports.results import Results

TableForm = Literal["md", "tex", "csv"]
TABLE_TYPES: dict[TableForm, str] = {"md": "text/markdown", "tex": "application/x-tex", "csv": "text/csv"}
RESULTS = "results"


def tables_of(results: Results) -> dict[str, Table]:
    """Return every table of a run by name; what needs labels is left out without them."""
    found = {figure.name: figure.table for figure in gallery(results)}
    if results.labels is None:
        return found
    headline = {
        RESULTS: runs_table((results,)),
        "accuracies": accuracies(results),
        "average-radius": average_with_defects(results),
    }
    return {**headline, **found}


def write_table(table: Table, form: TableForm, runs: Sequence[Results], *, marks: Sequence[str] = ()) -> str:
    """Write a table of one run or several.

    Args:
        table: The numbers.
        form: Markdown, LaTeX or CSV.
        runs: Whose numbers they are; their conditions go into the caption.
        marks: Conditions in which runs differ; they go before the conditions.
    """
    caption = conditions(runs[0])
    if marks:
        caption = f"Not comparable, for the runs differ in {'; '.join(marks)}. First run: {caption}"
    match form:
        case "md":
            return f"{to_markdown(table)}\n{caption}\n"
        case "csv":
            return to_csv(table)
        case "tex":
            best = range(2, len(table.header)) if len(runs) > 1 else ()
            text = (
                f"Certified robustness by randomized smoothing. {caption}. Radii and shares are rounded down."
            )
            return to_latex(table, text, "tab:certified", tuple(best))


def find_table(results: Results, name: str) -> Table:
    """Return the table called ``name``.

    Raises:
        NotFound: If the run has none of that name; the message lists those that it has.
    """
    tables = tables_of(results)
    if name not in tables:
        raise NotFound(f"This run has no table {name!r}; there are {', '.join(tables)}.")
    return tables[name]
