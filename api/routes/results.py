"""What a job has proved so far: certificates and report."""

from __future__ import annotations

import csv
import io
import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from api.schemas import CertificatePage
from api.services import Provided
from certd.errors import Conflict
from certd.jobs.finish import REPORT
from certd.reports.summary import summarize
from certd.smoothing.run import SCHEMA

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["results"])


@router.get("/certificates", response_model=CertificatePage, responses={200: {"content": {"text/csv": {}}}})
def certificates(
    job_id: str,
    services: Provided,
    form: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> Any:
    """Return one row an image: the finished ones while the job runs, all of them after it."""
    job = services.storage.read(job_id)
    run = services.storage.read_run(job_id)
    rows = [certificate.row() for certificate in run.certificates] if run else []
    if form == "csv":
        return Response(_csv(rows), media_type="text/csv")
    return CertificatePage(
        job_id=job_id,
        images_requested=job.inputs.num_images,
        images_finished=len(rows),
        certificates=rows,
    )


@router.get("/report")
def report(job_id: str, services: Provided) -> Response:
    """Return the report; before the end, that of the images finished so far."""
    job = services.storage.read(job_id)
    stored = services.storage.read_report(job_id, REPORT)
    if stored is not None:
        return Response(stored, media_type="application/json")
    run = services.storage.read_run(job_id)
    if run is None:
        raise Conflict(f"No image of {job.id} is finished yet; ask again when its progress says so.")
    return Response(json.dumps(summarize(run), indent=2), media_type="application/json")


def _csv(rows: list[dict[str, Any]]) -> str:
    """Write rows as CSV; counts as JSON lists, floats in full."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, SCHEMA.names)
    writer.writeheader()
    for row in rows:
        writer.writerow({name: json.dumps(v) if isinstance(v, list) else v for name, v in row.items()})
    return stream.getvalue()
