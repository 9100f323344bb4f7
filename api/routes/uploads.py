"""Files that are sent once and named by jobs afterwards."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import contextmanager_in_threadpool
from starlette.concurrency import run_in_threadpool

from api.auth import Authenticated, find_own
from api.schemas import UploadView
from api.services import Provided, Services
from certd.jobs.uploads import Upload

router = APIRouter(prefix="/v1/uploads", tags=["jobs"])


@router.post(
    "",
    status_code=201,
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": {}}}},
)
async def upload(
    request: Request,
    response: Response,
    services: Provided,
    caller: Authenticated,
    name: Annotated[str, Query(max_length=255, description="What refusals call the file")] = "upload",
) -> UploadView:
    """Store the body of the request, a ``.npy``, an ``.npz`` or an image, as it streams in.

    A job names it as ``upload``; it is kept for a day.
    """
    most = _most_bytes(request, services)
    drafts = services.uploads.draft(name, caller.owner, most)
    async with contextmanager_in_threadpool(services.upload_quota.reserved(caller.owner, most)):
        async with contextmanager_in_threadpool(drafts) as draft:
            async for chunk in request.stream():
                await run_in_threadpool(draft.write, chunk)
        stored = draft.upload
        assert stored is not None  # noqa: S101 - the block ended well
        await run_in_threadpool(services.upload_quota.add, stored)
    response.headers["Location"] = f"/v1/uploads/{stored.id}"
    return _view(stored)


@router.get("/{upload_id}")
def read_upload(upload_id: str, services: Provided, caller: Authenticated) -> UploadView:
    """Say what an upload is, and until when it is kept."""
    return _view(find_own(services, caller, upload_id))


@router.delete("/{upload_id}", status_code=204)
def delete_upload(upload_id: str, services: Provided, caller: Authenticated) -> None:
    """Delete an upload; jobs that were made from it keep their images."""
    found = find_own(services, caller, upload_id)
    services.uploads.remove(found.id)
    services.upload_quota.remove(found)


def _most_bytes(request: Request, services: Services) -> int:
    """Return how long an upload may become: as it says of itself, or as long as any."""
    settings = services.settings
    said = request.headers.get("content-length", "")
    if said.isascii() and said.isdecimal():
        return min(int(said), settings.max_body_bytes)
    return min(settings.max_upload_bytes, settings.max_body_bytes)


def _view(upload: Upload) -> UploadView:
    return UploadView(
        id=upload.id,
        bytes=upload.size,
        sha256=upload.sha256,
        expires_at=datetime.fromtimestamp(upload.expires_at, UTC),
    )
