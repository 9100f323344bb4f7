"""``certd compare``: runs beside one another, refused where their numbers do not mean the same."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from certd.cli import options
from certd.cli.runs import open_results
from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from certd.reports.comparison import RunComparison


def compare(
    files: options.RunFiles,
    html: Annotated[Path | None, typer.Option(help="Write the page here; it needs no network.")] = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
) -> None:
    """Hold every run against the first, which is the baseline."""
    from certd.reports.comparison import compare_runs
    from certd.reports.comparison_page import comparison_page

    if len(files) < 2:
        raise InvalidParameter("Name two runs or more.")
    found = compare_runs([open_results(file) for file in files], force=force)
    if html is not None:
        html.write_text(comparison_page(found))
        sys.stderr.write(f"wrote {html}\n")
    if as_json:
        print(json.dumps(found.as_json()))
        return
    print(_printed(found), end="")


def _printed(found: RunComparison) -> str:
    """Return the comparison as text: tables in Markdown, which no width of a terminal cuts short."""
    from certd.reports.tables import to_markdown

    parts = [f"NOT COMPARABLE, for the runs differ in {mark}\n" for mark in found.marks]
    parts += [f"LOOK TWICE: {finding}\n" for finding in found.findings]
    for one in found.tables:
        parts += [f"\n## {one.title}\n\n", to_markdown(one.table), *(f"\n{line}\n" for line in one.sentences)]
    return "".join(parts)
