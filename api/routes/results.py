"""What a job has proved so far: certificates and report."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.forms import FORMS, FormName, accepted_form
from api.schemas import CertificatePage
from api.services import Provided
from certd.errors import Conflict
from certd.jobs.rendering import PAGE, REPORT, render
from certd.reports.figures.forms import FIGURE_TYPES, FigureForm
from certd.reports.paper import TABLE_TYPES, TableForm
from certd.smoothing.manifest import Manifest

# The page carries its own style and nothing else: no script, no request to anywhere.
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["results"])


@router.get(
    "/certificates",
    response_model=CertificatePage,
    responses={200: {"content": {form.media_type: {} for form in FORMS.values()}}},
)
def certificates(
    job_id: str,
    request: Request,
    services: Provided,
    form: Annotated[FormName | None, Query(alias="format", description="Else by Accept")] = None,
) -> Any:
    """Return one row an image: the finished ones while the job runs, all of them after it."""
    job = services.storage.read(job_id)
    run = services.storage.read_run(job_id)
    chosen = form or accepted_form(request.headers.get("accept", ""))
    if chosen != "json":
        return FORMS[chosen].response(job_id, run)
    rows = [certificate.row() for certificate in run.certificates] if run else []
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


@router.get(
    "/report/figures/{name}.{form}",
    responses={200: {"content": {kind: {} for kind in FIGURE_TYPES.values()}}},
)
def report_figure(job_id: str, name: str, form: FigureForm, services: Provided) -> Response:
    """Return one figure of the report: SVG, PNG, PDF, or JSON with all that is drawn."""
    content = render(services.storage, job_id, f"figure.{name}.{form}")
    headers = {"Content-Security-Policy": PAGE_POLICY}
    return Response(content, media_type=FIGURE_TYPES[form], headers=headers)


@router.get(
    "/report/tables/{name}.{form}", responses={200: {"content": {kind: {} for kind in TABLE_TYPES.values()}}}
)
def report_table(job_id: str, name: str, form: TableForm, services: Provided) -> Response:
    """Return one table of the report for a paper: Markdown, LaTeX or CSV."""
    return Response(render(services.storage, job_id, f"table.{name}.{form}"), media_type=TABLE_TYPES[form])


@router.get("/manifest")
def manifest(job_id: str, services: Provided) -> Manifest:
    """Return what is certified, with what, from which seed and in which arithmetic."""
    run = services.storage.read_run(job_id)
    if run is None:
        services.storage.read(job_id)
        raise Conflict("No image of this job is finished yet, so how it is executed is not settled.")
    return run.manifest
