"""``certd recompute``: other conclusions from a stored run's counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from certd.cli import options
from certd.cli.display import show_report
from certd.cli.runs import open_run


def recompute(
    file: options.RunFile,
    alpha: options.Alpha = None,
    norm: options.Norm = None,
    bound: options.BoundKind = None,
    top_k: options.TopK = None,
    weight: Annotated[float | None, typer.Option(help="Of smooth-then-mix, another weight.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the new run here, as Parquet.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Conclude anew from the counts of FILE, with no forward pass, and print the report."""
    from certd.reports.summary import summarize
    from certd.smoothing.recomputation import recompute as conclude_anew
    from certd.smoothing.run import write_run

    changes: dict[str, Any] = {"norm": norm, "alpha": alpha, "bound": bound, "top_k": top_k, "weight": weight}
    given = {name: value for name, value in changes.items() if value is not None}
    run = conclude_anew(open_run(file), **given)
    if out is not None:
        with out.open("wb") as stream:
            write_run(stream, run)
    summary = summarize(run)
    if as_json:
        print(json.dumps(summary, indent=2))
    else:
        show_report(summary)
