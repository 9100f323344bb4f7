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
from certd.errors import Gone, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from certd.jobs.job import Job

LOOK_SECONDS, QUIET_SECONDS, LONGEST_SECONDS = 0.25, 15.0, 3600.0
MOST_STREAMS, FULL_RETRY_SECONDS = 64, 10
"""Streams look at storage four times a second each, on the threads that all requests share."""
_open: set[object] = set()

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
    A process holds 64 streams open; one more is answered 503.
    """
    if len(_open) >= MOST_STREAMS:
        raise Unavailable(
            f"{MOST_STREAMS} streams are open and no more may be. Try again in {FULL_RETRY_SECONDS} seconds, "
            "or ask for the job itself with `Prefer: wait=20`.",
            retry_after_seconds=FULL_RETRY_SECONDS,
        )
    job = await run_in_threadpool(services.storage.read, job_id)
    known = request.headers.get("last-event-id")
    return StreamingResponse(
        _counted(_stream(services, job, known, request)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _counted(stream: AsyncIterator[str]) -> AsyncIterator[str]:
    """Pass a stream on; it is open from its first word until its reader or its job is gone.

    Of many that were let in at once, those too many are told to come again.
    """
    if len(_open) >= MOST_STREAMS:
        yield f"retry: {1000 * FULL_RETRY_SECONDS}\n\n"
        return
    token = object()
    _open.add(token)
    try:
        async for event in stream:
            yield event
    finally:
        _open.discard(token)


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
