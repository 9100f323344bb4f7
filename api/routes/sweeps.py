"""Sweeps over soups: submitted as one job, ranked, and the chosen soup certified elsewhere."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse

from api.auth import Authenticated
from api.body import idempotency_key, options_of
from api.final_submission import FinalSubmission
from api.once import Stored
from api.preferences import response_headers
from api.routes.results import PAGE_POLICY
from api.schemas import JobView, SweepEstimateView, SweepRuns
from api.services import Provided, Services
from api.sweep_submission import SweepSubmission
from api.sweep_views import sweep_of, sweep_runs
from api.views import stored_view
from certd.jobs.rendering import PAGE, REPORT
from certd.jobs.sweep_rendering import report_of_job, sweep_content
from certd.jobs.sweep_request import FinalRequest, SweepRequest

router = APIRouter(prefix="/v1/sweeps", tags=["sweeps"])

Threats = Annotated[
    list[str] | None,
    Query(alias="threat", max_length=16, description="Rank by these instead: norm:radius@sigma"),
]
AskedSweep = Annotated[SweepRequest, Depends(options_of(SweepRequest))]
AskedFinal = Annotated[FinalRequest, Depends(options_of(FinalRequest))]


@router.post("", status_code=202)
def submit_sweep(
    asked: AskedSweep, request: Request, response: Response, services: Provided, caller: Authenticated
) -> JobView:
    """Certify every soup of a grid on the same images with the same noise, as one job.

    It is looked at, canceled and deleted under ``/v1/jobs``, and charged whole. Each soup is made on the
    worker, from registered models whose digests are checked.
    """
    submission = SweepSubmission(asked, services, caller, idempotency_key(request))
    return _accepted(services, response, submission.store())


@router.post("/estimate")
def estimate_sweep(asked: AskedSweep, services: Provided, caller: Authenticated) -> SweepEstimateView:
    """Say what a sweep would cost and reach; what cannot be done is refused as on submission."""
    return SweepSubmission(asked, services, caller).estimate()


@router.get("/{job_id}")
def read_sweep(job_id: str, services: Provided) -> SweepRuns:
    """Return the question of a sweep, and how far each of its runs is: a soup under a noise level."""
    job = services.storage.read(job_id)
    return sweep_runs(services, job, sweep_of(job))


@router.get("/{job_id}/report", response_model=dict[str, Any])
def sweep_report(job_id: str, services: Provided, threat: Threats = None) -> Response:
    """Rank the soups that are finished, best first, and say how many images it takes to choose one."""
    return Response(_report(services, job_id, threat, REPORT), media_type="application/json")


@router.get("/{job_id}/report.html", response_class=HTMLResponse)
def sweep_report_page(job_id: str, services: Provided, threat: Threats = None) -> Response:
    """Return the ranking as one self-contained page."""
    page = _report(services, job_id, threat, PAGE)
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": PAGE_POLICY})


@router.post("/{job_id}/certify", status_code=202)
def certify_chosen(  # noqa: PLR0913, PLR0917 - the parts of a request
    job_id: str,
    asked: AskedFinal,
    request: Request,
    response: Response,
    services: Provided,
    caller: Authenticated,
) -> JobView:
    """Certify the chosen soup as an ordinary job, on images that did not choose it and with fresh noise.

    Images of the sweep are refused, by their ids and by their pixels, unless ``force`` is set; the run is
    marked then. The seed of the sweep is always refused.
    """
    submission = FinalSubmission(asked, job_id, services, caller, idempotency_key(request))
    return _accepted(services, response, submission.store())


def _accepted(services: Services, response: Response, stored: Stored) -> JobView:
    view = stored_view(services, stored)
    response.headers.update({**stored.headers, **response_headers(view), "Location": view.links["self"]})
    response.headers["Operation-Location"] = view.links["self"]
    return view


def _report(services: Services, job_id: str, threats: list[str] | None, name: str) -> bytes:
    job = services.storage.read(job_id)
    sweep = sweep_of(job)
    return sweep_content(report_of_job(services.storage, job, sweep, threats or ()), sweep, name)
