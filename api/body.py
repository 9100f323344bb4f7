"""Reads a request body, JSON or multipart, within the limits."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from api.submission import Submission
from api.uploads import UploadedFile
from certd.errors import InvalidParameter
from certd.jobs.request import JobRequest
from certd.smoothing.request import invalid_parameter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from api.services import Services

MULTIPART = "multipart/form-data"
JSON = "application/json"
MAX_REQUEST_PART_BYTES = 16 * 2**20
MAX_KEY = 255


@asynccontextmanager
async def read_submission(request: Request, services: Services) -> AsyncIterator[Submission]:
    """Read a request body, JSON or multipart, within the limits.

    Raises:
        InvalidParameter: If an option is unknown or outside its domain.
        TooLarge: If there are more parts than a job may have images.
    """
    key = idempotency_key(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == JSON:
        yield Submission(parse_job_request(await request.body()), [], services, request.state.caller, key)
    elif kind == MULTIPART:
        form = await read_form(request, services.settings.max_images)
        try:
            files = [await file_of(part) for part in form.getlist("images")]
            options = parse_job_request(await _request_part(form))
            yield Submission(options, files, services, request.state.caller, key)
        finally:
            await form.close()
    else:
        raise HTTPException(415, f"send {JSON} or {MULTIPART}, not {kind or 'an unnamed type'}")


def idempotency_key(request: Request) -> str | None:
    """Return the header ``Idempotency-Key``; one that cannot be meant is refused."""
    key = request.headers.get("idempotency-key")
    if key is not None and not (1 <= len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        raise InvalidParameter(f"Idempotency-Key takes 1 to {MAX_KEY} printable characters, such as a UUID.")
    return key


def parse_job_request(text: bytes) -> JobRequest:
    """Read the JSON options of a job.

    Raises:
        InvalidParameter: If the text is no JSON object, or an option is unknown or outside its domain.
    """
    try:
        options: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidParameter(f"The request is not valid JSON: {error}.", pointer="") from None
    try:
        return JobRequest.model_validate(options)
    except ValidationError as error:
        raise invalid_parameter(error) from None


async def read_form(request: Request, max_images: int, max_fields: int = 1) -> FormData:
    """Read a multipart body; its files lie on disk until the form is closed.

    Args:
        request: Whose body.
        max_images: Most files.
        max_fields: Most other fields.

    Raises:
        InvalidParameter: If it is malformed or holds more.
    """
    try:
        return await request.form(
            max_files=max_images, max_fields=max_fields, max_part_size=MAX_REQUEST_PART_BYTES
        )
    except (MultiPartException, HTTPException) as error:
        raise InvalidParameter(
            f"The multipart body cannot be read: {getattr(error, 'message', None) or error}. "
            f"It holds one field `request` and at most {max_images} files `images`."
        ) from None


async def _request_part(form: FormData) -> bytes:
    part = form.get("request")
    if part is None:
        raise InvalidParameter(
            "The multipart body has no part `request` with the options as JSON, "
            'such as {"model": ..., "sigma": ...}.'
        )
    return await part.read() if isinstance(part, UploadFile) else part.encode()


async def file_of(part: UploadFile | str) -> UploadedFile:
    """Return a part that came as a file."""
    if isinstance(part, str):
        raise InvalidParameter("A part `images` is a text field; send it as a file, with a file name.")
    content = await part.read()
    return UploadedFile(part.filename or "image", content)
