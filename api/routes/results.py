"""What a job has proved so far: certificates and report."""

from __future__ import annotations

import csv
import io
import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from api.schemas import CertificatePage
from api.services import Provided
from certd.jobs.rendering import PAGE, REPORT, render
from certd.smoothing.run import SCHEMA

# The page carries its own style and nothing else: no script, no request to anywhere.
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

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
    """Return the report as JSON; before the end, that of the images finished so far."""
    return Response(render(services.storage, job_id, REPORT), media_type="application/json")


@router.get("/report.html")
def report_page(job_id: str, services: Provided) -> Response:
    """Return the report as one self-contained page; before the end, that of the images finished so far."""
    page = render(services.storage, job_id, PAGE)
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": PAGE_POLICY})


def _csv(rows: list[dict[str, Any]]) -> str:
    """Write rows as CSV; counts as JSON lists, floats in full."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, SCHEMA.names)
    writer.writeheader()
    for row in rows:
        writer.writerow({name: json.dumps(v) if isinstance(v, list) else v for name, v in row.items()})
    return stream.getvalue()
