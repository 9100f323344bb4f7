"""The list of jobs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import Authenticated, visible_job_ids
from api.dashboard.rendering import respond
from api.services import Provided
from api.views import page_of_jobs
from certd.jobs.job import JobStatus
from certd.models import model_names

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 50


@router.get("/")
def home() -> Response:
    """Lead to the list."""
    return RedirectResponse("/jobs", 307)


@router.get("/jobs")
def job_list(  # noqa: PLR0913, PLR0917 - the filters of the query
    request: Request,
    services: Provided,
    caller: Authenticated,
    status: Annotated[JobStatus | str | None, Query(max_length=16)] = None,
    model: Annotated[str, Query(max_length=256)] = "",
    tag: Annotated[str, Query(max_length=64)] = "",
    page_token: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """List jobs, newest first, as the URL filters them."""
    visible = visible_job_ids(services, caller)
    names = [name for name in visible if not page_token or name < page_token]
    asked = {"status": status, "model": model, "tag": tag}
    wanted = {name: value for name, value in asked.items() if value}
    page = page_of_jobs(services, names, PAGE_SIZE, wanted)
    return respond(
        request,
        "job_list",
        jobs=page.jobs,
        next_page_token=page.next_page_token,
        page_token=page_token,
        origin=f"{request.url.scheme}://{request.url.netloc}",
        total=len(visible),
        wanted=wanted,
        statuses=[str(each) for each in JobStatus if each is not JobStatus.EXPIRED],
        models=model_names(registry=services.settings.models),
        refreshing=any(not job.status.terminal for job in page.jobs),
        json_twin="/v1/jobs",
    )
