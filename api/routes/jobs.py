"""Jobs: submitted, listed, looked at, canceled, deleted."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from api.auth import Authenticated, visible_job_ids
from api.body import idempotency_key, read_submission
from api.preferences import matches, response_headers, wait_seconds
from api.rerun import rerun_once
from api.schemas import FinishedJob, JobPage, JobView
from api.services import Provided, Services
from api.views import job_view, page_of_jobs, stored_view
from certd.errors import Conflict, Gone
from certd.jobs.job import JobStatus

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

LOOK_SECONDS = 0.01
MAX_PAGE = 200


@router.post(
    "",
    status_code=202,
    responses={200: {"model": FinishedJob, "description": "Ended while its sender waited"}},
)
async def submit(request: Request, response: Response, services: Provided) -> Any:
    """Check a request without a device, store the job, queue it.

    The body is JSON naming a data set, or multipart/form-data with a JSON part ``request`` and parts
    ``images``: image files, or one ``.npy`` or ``.npz``. With ``Idempotency-Key`` a request that is sent
    again finds its job. With ``Prefer: wait=N`` small work is answered 200 with its certificates.
    """
    async with read_submission(request, services) as submission:
        stored = await run_in_threadpool(submission.store)
    headers = stored.headers
    wait = wait_seconds(request.headers.get("prefer"))
    if wait:
        headers["Preference-Applied"] = f"wait={wait}"
        if await _ended(services, stored.job.id, wait):
            response.status_code = 200
    view = await run_in_threadpool(stored_view, services, stored)
    response.headers.update({**headers, **response_headers(view), "Location": view.links["self"]})
    response.headers["Operation-Location"] = view.links["self"]
    if response.status_code == 200:
        return await run_in_threadpool(_with_certificates, services, view)
    return view


@router.get("")
def list_jobs(  # noqa: PLR0913, PLR0917 - the filters of the query
    services: Provided,
    caller: Authenticated,
    page_size: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    page_token: Annotated[str | None, Query(max_length=64)] = None,
    status: Annotated[JobStatus | None, Query(description="Only jobs in this state")] = None,
    model: Annotated[str | None, Query(max_length=256, description="Name, or name@sha256")] = None,
    dataset: Annotated[str | None, Query(max_length=256)] = None,
    tag: Annotated[str | None, Query(max_length=64)] = None,
    created_after: Annotated[datetime | None, Query(description="RFC 3339")] = None,
) -> JobPage:
    """List jobs, newest first; ``page_token`` continues where a page ended."""
    visible = visible_job_ids(services, caller)
    names = [name for name in visible if page_token is None or name < page_token]
    wanted = {
        "status": status,
        "model": model,
        "dataset": dataset,
        "tag": tag,
        "created_after": created_after,
    }
    return page_of_jobs(services, names, page_size, {k: v for k, v in wanted.items() if v is not None})


@router.get(
    "/{job_id}",
    response_model=JobView,
    responses={304: {"description": "Not changed since the ETag in If-None-Match"}},
)
async def read_job(job_id: str, request: Request, response: Response, services: Provided) -> Any:
    """Say how a job stands. While it runs, ``Retry-After`` says when to ask again.

    With ``Prefer: wait=N`` the answer comes when the job ends, or after N seconds.
    """
    wait = wait_seconds(request.headers.get("prefer"))
    if wait:
        response.headers["Preference-Applied"] = f"wait={wait}"
        await _ended(services, job_id, wait)
    view = await run_in_threadpool(lambda: job_view(services, services.storage.read(job_id)))
    headers = response_headers(view)
    if matches(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return view


@router.post("/{job_id}/cancel")
def cancel_job(job_id: str, response: Response, services: Provided) -> JobView:
    """Ask a job to stop; a second time changes nothing. What is finished stays, as does a job that ended."""
    cancel(services, job_id)
    view = job_view(services, services.storage.read(job_id))
    response.headers.update(response_headers(view))
    return view


@router.post("/{job_id}/rerun", status_code=202)
def rerun_job(
    job_id: str, request: Request, response: Response, services: Provided, caller: Authenticated
) -> JobView:
    """Ask the same question again with fresh noise, as a new job tagged with the id of this one.

    With ``Idempotency-Key`` a request that is sent again finds its job.
    Each run holds at its own alpha; the better of two, chosen after looking at both, holds at the sum.
    """
    stored = rerun_once(services, caller, job_id, idempotency_key(request))
    view = stored_view(services, stored)
    response.headers.update({**stored.headers, **response_headers(view), "Location": view.links["self"]})
    return view


@router.delete("/{job_id}", status_code=204)
def delete_job(job_id: str, services: Provided) -> None:
    """Delete an ended job with its images and certificates; afterwards it answers 410, and this again 204."""
    remove(services, job_id)


def cancel(services: Services, job_id: str) -> None:
    """Ask a job to stop, and end it where nobody works on it."""
    job = services.storage.read(job_id)
    if services.storage.read_outcome(job_id) is None:
        services.storage.ask_to_cancel(job_id)
        services.finisher.end_if_canceled(job, services.dispatcher.busy(job))


def remove(services: Services, job_id: str) -> None:
    """Delete a job unless it is gone already.

    Raises:
        Conflict: If it has not ended.
    """
    with suppress(Gone):
        if services.storage.read_outcome(job_id) is None:
            raise Conflict("This job has not ended. Cancel it first, and delete it once it is canceled.")
        services.storage.delete(job_id)


async def _ended(services: Services, job_id: str, seconds: int) -> bool:
    """Wait for a job's end without holding a thread; return whether it came in time."""
    deadline = time.monotonic() + seconds
    pause = LOOK_SECONDS
    while True:
        if await run_in_threadpool(services.storage.read_outcome, job_id) is not None:
            return True
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(pause)
        pause = min(0.5, 1.15 * pause)


def _with_certificates(services: Services, view: JobView) -> FinishedJob:
    run = services.storage.read_run(view.id)
    rows = [certificate.row() for certificate in run.certificates] if run else []
    return FinishedJob(**view.model_dump(), certificates=rows)
