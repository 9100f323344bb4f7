"""Jobs beside one another."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse

from api.routes.results import PAGE_POLICY
from api.services import Provided, Services
from certd.errors import Conflict
from certd.reports import results_of
from certd.reports.comparison import RunComparison, compare_runs
from certd.reports.comparison_page import comparison_page

router = APIRouter(prefix="/v1", tags=["comparison"])

Jobs = Annotated[
    list[str], Query(alias="job", min_length=2, max_length=8, description="The first is the baseline")
]
Force = Annotated[bool, Query(description="Compare although conditions differ, and mark the result")]


@router.get("/compare")
def compare(services: Provided, jobs: Jobs, *, force: Force = False) -> dict[str, Any]:
    """Hold every job against the first; refused where their numbers do not mean the same."""
    return _compared(services, jobs, force=force).as_json()


@router.get("/compare.html", response_class=HTMLResponse)
def compare_page(services: Provided, jobs: Jobs, *, force: Force = False) -> Response:
    """Return the comparison as one self-contained page."""
    page = comparison_page(_compared(services, jobs, force=force))
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": PAGE_POLICY})


def _compared(services: Services, jobs: list[str], *, force: bool) -> RunComparison:
    runs = [services.storage.read_run(job.id) for job in map(services.storage.read, jobs)]
    if None in runs:
        raise Conflict("One of these jobs has no finished image yet; ask again later.")
    return compare_runs([results_of(run) for run in runs if run is not None], force=force)
