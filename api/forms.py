"""The forms that a job's certificates take: chosen by ``?format=``, or by what a client accepts."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fastapi import Response

from certd.errors import Conflict
from certd.reports import results_of
from certd.reports.exporters import export_arrow, export_cohen, export_csv, export_ndjson, rows_of
from certd.smoothing.run import write_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from certd.smoothing.run import Run

FormName = Literal["json", "csv", "ndjson", "tsv", "parquet", "arrow"]


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a run.

    Attributes:
        media_type: What a client accepts it as.
        suffix: Of the file that a browser saves.
        write: Turns a run with at least one image into the file.
    """

    media_type: str
    suffix: str
    write: Callable[[Run], bytes]

    def response(self, job_id: str, run: Run | None) -> Response:
        """Return the file of a job.

        Raises:
            Conflict: If no image is finished yet.
            InvalidParameter: If the form cannot hold this run.
        """
        if run is None:
            raise Conflict("No image of this job is finished yet; ask again later.")
        headers = {"Content-Disposition": f'attachment; filename="{job_id}.{self.suffix}"'}
        return Response(self.write(run), media_type=self.media_type, headers=headers)


def accepted_form(accept: str) -> FormName:
    """Return the form whose media type an ``Accept`` header names first; JSON where it names none."""
    for offered in accept.split(","):
        wanted = offered.partition(";")[0].strip()
        for name, form in FORMS.items():
            if form.media_type == wanted:
                return name
    return "json"


def _parquet(run: Run) -> bytes:
    stream = io.BytesIO()
    write_run(stream, run)
    return stream.getvalue()


FORMS: dict[FormName, Form] = {
    "csv": Form("text/csv", "csv", lambda run: export_csv(rows_of(run)).encode()),
    "ndjson": Form("application/x-ndjson", "ndjson", lambda run: export_ndjson(rows_of(run)).encode()),
    "tsv": Form("text/tab-separated-values", "tsv", lambda run: export_cohen(results_of(run)).encode()),
    "parquet": Form("application/vnd.apache.parquet", "parquet", _parquet),
    "arrow": Form("application/vnd.apache.arrow.stream", "arrow", lambda run: export_arrow(rows_of(run))),
}
