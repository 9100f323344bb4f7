"""A job's progress as server-sent events."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from api.preferences import entity_tag
from api.services import Provided, Services
from api.views import job_view
from certd.errors import Gone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from certd.jobs.job import Job

LOOK_SECONDS, QUIET_SECONDS, LONGEST_SECONDS = 0.25, 15.0, 3600.0

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["jobs"])


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def events(job_id: str, request: Request, services: Provided) -> StreamingResponse:
    """Send the job whenever it changes, as ``progress``, and at its end as ``ended``; then close.

    The id of an event is the job's ETag: a client that comes again with ``Last-Event-ID`` is told only what
    it does not know, whichever process it reaches.
    """
    job = await run_in_threadpool(services.storage.read, job_id)
    known = request.headers.get("last-event-id")
    return StreamingResponse(
        _stream(services, job, known, request),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(services: Services, job: Job, known: str | None, request: Request) -> AsyncIterator[str]:
    began = told_at = time.monotonic()
    yield "retry: 2000\n\n"
    while time.monotonic() - began < LONGEST_SECONDS and not await request.is_disconnected():
        try:
            view = await run_in_threadpool(job_view, services, job)
        except Gone:
            yield "event: gone\ndata: {}\n\n"
            return
        tag = entity_tag(view).strip('"')
        if tag != known:
            known, told_at = tag, time.monotonic()
            name = "ended" if view.status.terminal else "progress"
            yield f"id: {tag}\nevent: {name}\ndata: {view.model_dump_json()}\n\n"
        if view.status.terminal:
            return
        if time.monotonic() - told_at > QUIET_SECONDS:
            told_at = time.monotonic()
            yield ": still there\n\n"
        await asyncio.sleep(LOOK_SECONDS)
