"""``certd report``: the report of a stored run."""

from __future__ import annotations

import json

from certd.cli import options
from certd.cli.display import show_report
from certd.cli.runs import open_run


def report(file: options.RunFile, as_json: options.AsJson = False) -> None:
    """Recompute the report of FILE from its counts."""
    from certd.reports.summary import summarize

    summary = summarize(open_run(file))
    if as_json:
        print(json.dumps(summary, indent=2))
    else:
        show_report(summary)
