"""Jobs beside one another."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.auth import Authenticated, visible_job_ids
from api.dashboard.rendering import respond
from api.services import Provided, Services
from api.views import page_of_jobs
from certd.access import Caller
from certd.errors import InvalidParameter
from certd.jobs.job import JobStatus
from certd.reports.comparison import RunComparison, compare_runs

router = APIRouter(include_in_schema=False)

OFFERED = 30
MOST_JOBS = 8


@router.get("/compare")
def compare_page(
    request: Request,
    services: Provided,
    caller: Authenticated,
    job: Annotated[list[str], Query(max_length=MOST_JOBS)] = [],  # noqa: B006 - read, never written
    *,
    force: bool = False,
) -> Response:
    """Hold the chosen jobs against the first of them, or offer jobs to choose from."""
    chosen = list(dict.fromkeys(job))
    comparison, refusal = None, None
    if len(chosen) > 1:
        try:
            comparison = _compared(services, chosen, force=force)
        except InvalidParameter as error:
            refusal = error.message
    twin = "&".join(f"job={each}" for each in chosen)
    return respond(
        request,
        "compare_page",
        chosen=chosen,
        offered=_offered(services, caller, chosen),
        comparison=comparison,
        refusal=refusal,
        force=force,
        query=twin,
        json_twin=f"/v1/compare?{twin}" if comparison else None,
    )


def _offered(services: Services, caller: Caller, chosen: list[str]) -> list[dict[str, object]]:
    """Return recent jobs that have something to compare, and those that are chosen."""
    wanted = {"status": JobStatus.SUCCEEDED}
    recent = page_of_jobs(services, visible_job_ids(services, caller), OFFERED, wanted).jobs
    known = {view.id for view in recent}
    older = page_of_jobs(services, [each for each in chosen if each not in known], OFFERED, {}).jobs
    return [
        {"job": view, "chosen": view.id in chosen}
        for view in (*older, *recent)
        if view.labelled and not view.sweep
    ]


def _compared(services: Services, chosen: list[str], *, force: bool) -> RunComparison:
    found = [services.finished.read(each) for each in chosen]
    if not all(len(images) for images in found):
        raise InvalidParameter("One of these jobs has no finished image yet; come back when it has.")
    return compare_runs([images.results for images in found], force=force)
