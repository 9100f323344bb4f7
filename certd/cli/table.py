"""``certd table``: numbers of one run or several, for a paper."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from certd.cli import options
from certd.cli.runs import open_results
from certd.errors import InvalidParameter


class TableFormat(StrEnum):
    """Forms that a table can take."""

    MD = "md"
    TEX = "tex"
    CSV = "csv"


def table(
    files: options.RunFiles,
    name: Annotated[str, typer.Option(help="Which table of one run; results for several.")] = "results",
    form: Annotated[TableFormat, typer.Option("--format", help="md, tex or csv.")] = TableFormat.MD,
    radii: options.Radii = None,
    force: options.Force = False,
) -> None:
    """Print a table; numbers are rounded down, and the caption says under which conditions they hold."""
    from certd.reports.comparability import require_comparable
    from certd.reports.headline import runs_table
    from certd.reports.paper import RESULTS, find_table, write_table

    runs = [open_results(file) for file in files]
    marks = require_comparable(runs, force=force) if len(runs) > 1 else ()
    if name == RESULTS:
        if any(run.labels is None for run in runs):
            raise InvalidParameter("This table is of certified accuracy, which needs labels in every run.")
        found = runs_table(runs, options.parse_radii("--radii", radii))
    elif len(runs) > 1 or radii is not None:
        raise InvalidParameter("Several runs, and --radii, go with --name results.")
    else:
        found = find_table(runs[0], name)
    print(write_table(found, form.value, runs, marks=marks), end="")
