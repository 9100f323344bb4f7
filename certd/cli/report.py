"""``certd report``: the report of a stored run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from certd.cli.display import show_report
from certd.errors import NotFound


def report(
    file: Annotated[Path, typer.Argument(help="A run written by `certd certify --out`.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Recompute the report of FILE from its counts."""
    from certd.reports.summary import summarize
    from certd.smoothing.run import read_run

    if not file.is_file():
        raise NotFound(f"There is no file {file}.")
    with file.open("rb") as stream:
        summary = summarize(read_run(stream))
    if as_json:
        print(json.dumps(summary, indent=2))
    else:
        show_report(summary)
