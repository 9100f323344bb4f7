"""``certd report``: the report of a stored run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from certd.cli import options
from certd.cli.display import show_report
from certd.cli.runs import open_run


def report(
    file: options.RunFile,
    as_json: options.AsJson = False,
    html: Annotated[Path | None, typer.Option(help="Write the page here; it needs no network.")] = None,
) -> None:
    """Recompute the report of FILE from its counts."""
    from certd.reports.page import page_of_run
    from certd.reports.summary import summarize

    run = open_run(file)
    if html is not None:
        html.write_text(page_of_run(run))
    summary = summarize(run)
    if as_json:
        print(json.dumps(summary, indent=2))
    else:
        show_report(summary)
