"""``certd export``: a stored run in the forms that other people's tools read."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from certd.cli import options
from certd.cli.runs import open_run, open_stored


class ExportFormat(StrEnum):
    """Forms that a run can take; its own file is Parquet already."""

    CSV = "csv"
    NDJSON = "ndjson"
    ARROW = "arrow"
    COHEN = "cohen"
    ROBUSTBENCH = "robustbench"
    MODEL_CARD = "model-card"


def export(
    file: options.RunFile,
    form: Annotated[ExportFormat, typer.Option("--format", help="What to write.")] = ExportFormat.CSV,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write here; else to standard output.")
    ] = None,
) -> None:
    """Write FILE in another form; radii are rounded down where a form rounds at all."""
    content = _exported(file, form)
    if out is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        out.write_bytes(content)


def _exported(file: Path, form: ExportFormat) -> bytes:
    from certd.reports import exporters

    if form in {ExportFormat.CSV, ExportFormat.NDJSON, ExportFormat.ARROW}:
        stored = open_stored(file)
        rows = exporters.rows_of(stored.results if stored.manifest is None else open_run(file))
        if form is ExportFormat.ARROW:
            return exporters.export_arrow(rows)
        return (exporters.export_csv if form is ExportFormat.CSV else exporters.export_ndjson)(rows).encode()
    writers = {
        ExportFormat.COHEN: exporters.export_cohen,
        ExportFormat.ROBUSTBENCH: exporters.export_robustbench,
        ExportFormat.MODEL_CARD: exporters.export_model_card,
    }
    return writers[form](open_stored(file).results).encode()
