"""What a job has proved so far: certificates and report."""

from __future__ import annotations

import csv
import io
import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from api.schemas import CertificatePage
from api.services import Provided, Services
from certd.errors import Conflict
from certd.jobs.finish import PAGE, REPORT
from certd.reports.page import page_of_run
from certd.reports.summary import summarize
from certd.smoothing.run import SCHEMA, Run

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
    stored = services.storage.read_report(job_id, REPORT)
    content = stored or json.dumps(summarize(_finished(job_id, services)), indent=2).encode()
    return Response(content, media_type="application/json")


@router.get("/report.html")
def report_page(job_id: str, services: Provided) -> Response:
    """Return the report as one self-contained page; before the end, that of the images finished so far."""
    stored = services.storage.read_report(job_id, PAGE)
    content = stored or page_of_run(_finished(job_id, services)).encode()
    return Response(content, media_type="text/html", headers={"Content-Security-Policy": PAGE_POLICY})


def _finished(job_id: str, services: Services) -> Run:
    """Return the certificates made so far.

    Raises:
        Conflict: If there are none yet.
    """
    run = services.storage.read_run(job_id)
    if run is None:
        raise Conflict(f"No image of {job_id} is finished yet; ask again when its progress says so.")
    return run


def _csv(rows: list[dict[str, Any]]) -> str:
    """Write rows as CSV; counts as JSON lists, floats in full."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, SCHEMA.names)
    writer.writeheader()
    for row in rows:
        writer.writerow({name: json.dumps(v) if isinstance(v, list) else v for name, v in row.items()})
    return stream.getvalue()
