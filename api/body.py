"""Reads a request body, JSON or multipart, within the limits."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from fastapi import Request  # noqa: TC002 - FastAPI reads annotations
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from api.submission import Submission
from api.uploads import UploadedFile
from certd.errors import InvalidParameter, TooLarge
from certd.jobs.request import JobRequest
from certd.smoothing.options import invalid_parameter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.datastructures import FormData, UploadFile

    from api.services import Services

MULTIPART = "multipart/form-data"
JSON = "application/json"
MAX_REQUEST_PART_BYTES = 16 * 2**20
MAX_KEY = 255
# Parsed, options may take thirty times their bytes; so an event loop has them parsed one request at a time.
_PARSER: RunVar[CapacityLimiter] = RunVar("options_parser")

ModelT = TypeVar("ModelT", bound=BaseModel)


@asynccontextmanager
async def read_submission(request: Request, services: Services) -> AsyncIterator[Submission]:
    """Read a request body, JSON or multipart, within the limits.

    Raises:
        InvalidParameter: If an option is unknown or outside its domain.
        TooLarge: If there are more parts than a job may have images.
    """
    key = idempotency_key(request)
    kind = media_type(request)
    if kind == JSON:
        options = await read_options(request, JobRequest)
        yield Submission(options, [], services, request.state.caller, key)
    elif kind == MULTIPART:
        form = await read_form(request, services.settings.max_images)
        try:
            files = [await file_of(part) for part in form.getlist("images")]
            options = await _parsed_aside(JobRequest, await _request_part(form))
            yield Submission(options, files, services, request.state.caller, key)
        finally:
            await form.close()
    else:
        raise _unsupported(kind, f"{JSON} or {MULTIPART}")


def options_of(kind: type[ModelT]) -> Callable[[Request], Awaitable[ModelT]]:
    """Return a dependency that reads a body of JSON; the framework would do it on the event loop."""

    async def read(request: Request) -> ModelT:
        if media_type(request) != JSON:
            raise _unsupported(media_type(request), JSON)
        return await read_options(request, kind)

    return read


async def read_options(request: Request, kind: type[ModelT]) -> ModelT:
    """Read a body of JSON.

    Raises:
        InvalidParameter: If it is no JSON object, or an option is unknown or outside its domain.
        TooLarge: If it is longer than options can be.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        _require_short(len(body))
    return await _parsed_aside(kind, body)


def media_type(request: Request) -> str:
    """Return the type of a body, without its parameters; empty where none is named."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _unsupported(kind: str, wanted: str) -> HTTPException:
    return HTTPException(415, f"send {wanted}, not {kind or 'an unnamed type'}")


def _require_short(size: int) -> None:
    if size > MAX_REQUEST_PART_BYTES:
        raise TooLarge(
            f"Options may take {MAX_REQUEST_PART_BYTES:,} bytes of JSON; these take more. "
            "Send images as files.",
            max_body_bytes=MAX_REQUEST_PART_BYTES,
        )


def idempotency_key(request: Request) -> str | None:
    """Return the header ``Idempotency-Key``; one that cannot be meant is refused."""
    key = request.headers.get("idempotency-key")
    if key is not None and not (1 <= len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        raise InvalidParameter(f"Idempotency-Key takes 1 to {MAX_KEY} printable characters, such as a UUID.")
    return key


async def _parsed_aside(kind: type[ModelT], text: bytes | bytearray) -> ModelT:
    limiter = _PARSER.get(None) or CapacityLimiter(1)
    _PARSER.set(limiter)
    return await to_thread.run_sync(parsed, kind, text, limiter=limiter)


def parsed(kind: type[ModelT], text: bytes | bytearray) -> ModelT:
    """Read options that came as JSON.

    Raises:
        InvalidParameter: If the text is no JSON object, or an option is unknown or outside its domain.
    """
    try:
        options: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidParameter(f"The request is not valid JSON: {error}.", pointer="") from None
    try:
        return kind.model_validate(options)
    except ValidationError as error:
        raise invalid_parameter(error) from None


async def read_form(
    request: Request, max_images: int, max_fields: int = 1, max_field_bytes: int = MAX_REQUEST_PART_BYTES
) -> FormData:
    """Read a multipart body; its files lie on disk until the form is closed.

    Args:
        request: Whose body.
        max_images: Most files.
        max_fields: Most other fields.
        max_field_bytes: Longest of those.

    Raises:
        InvalidParameter: If it is malformed or holds more.
    """
    try:
        return await request.form(max_files=max_images, max_fields=max_fields, max_part_size=max_field_bytes)
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
    if isinstance(part, str):
        return part.encode()
    _require_short(part.size or 0)
    return await part.read()


async def file_of(part: UploadFile | str) -> UploadedFile:
    """Return a part that came as a file."""
    if isinstance(part, str):
        raise InvalidParameter("A part `images` is a text field; send it as a file, with a file name.")
    content = await part.read()
    return UploadedFile(part.filename or "image", content)
