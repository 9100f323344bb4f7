"""Files that are sent once and named by jobs afterwards."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import contextmanager_in_threadpool
from starlette.concurrency import run_in_threadpool

from api.auth import Authenticated
from api.schemas import UploadView
from api.services import Provided

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
    drafts = services.uploads.draft(name, caller.owner, services.settings.max_body_bytes)
    async with contextmanager_in_threadpool(drafts) as draft:
        async for chunk in request.stream():
            await run_in_threadpool(draft.write, chunk)
    stored = draft.upload
    assert stored is not None  # noqa: S101 - the block ended well
    response.headers["Location"] = f"/v1/uploads/{stored.id}"
    return UploadView(
        id=stored.id,
        bytes=stored.size,
        sha256=stored.sha256,
        expires_at=datetime.fromtimestamp(stored.expires_at, UTC),
    )
