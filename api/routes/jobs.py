"""Jobs: submitted, listed, looked at."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from api.auth import Authenticated, visible_job_ids
from api.body import read_submission
from api.schemas import JobPage, JobView
from api.services import Provided
from api.views import job_view

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

POLL_SECONDS = 1
MAX_PAGE = 200


@router.post("", status_code=202)
async def submit(request: Request, response: Response, services: Provided) -> JobView:
    """Check a request without a device, store the job, queue it.

    The body is JSON naming a data set, or multipart/form-data with a JSON part ``request`` and parts
    ``images``: image files, or one ``.npy`` or ``.npz``.
    """
    async with read_submission(request, services) as submission:
        job = await run_in_threadpool(submission.store)
    view = await run_in_threadpool(job_view, services, job)
    response.headers["Location"] = view.links["self"]
    response.headers["Retry-After"] = str(POLL_SECONDS)
    return view


@router.get("")
def list_jobs(
    services: Provided,
    caller: Authenticated,
    page_size: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    page_token: Annotated[str | None, Query(max_length=64)] = None,
) -> JobPage:
    """List jobs, newest first; ``page_token`` continues where a page ended."""
    visible = visible_job_ids(services, caller)
    names = [name for name in visible if page_token is None or name < page_token]
    page = names[:page_size]
    return JobPage(
        jobs=[job_view(services, services.storage.read(name)) for name in page],
        next_page_token=page[-1] if len(names) > len(page) else None,
    )


@router.get("/{job_id}")
def read_job(job_id: str, response: Response, services: Provided) -> JobView:
    """Say how a job stands. While it runs, ``Retry-After`` says when to ask again."""
    view = job_view(services, services.storage.read(job_id))
    if not view.status.terminal:
        response.headers["Retry-After"] = str(POLL_SECONDS)
    return view
