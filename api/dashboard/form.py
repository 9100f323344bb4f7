"""Forms: read within limits, and only from a page of this very service and session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from api.body import MULTIPART, file_of, media_type, read_form
from api.dashboard.rendering import LOCAL
from api.services import Provided, Services
from api.uploads import UploadedFile
from certd.errors import Forbidden, InvalidParameter, TooLarge
from certd.smoothing.options import invalid_parameter

Entry = TypeVar("Entry")
Model = TypeVar("Model", bound=BaseModel)

MOST_BYTES = 16 * 1024
MOST_FIELDS = 40
MOST_FIELD_BYTES = 2**20
LONGEST_ECHO = 200
TOKEN = "form_token"  # noqa: S105 - the name of the field


@dataclass(frozen=True, slots=True)
class Form:
    """What a reader filled in: fields by name, empty ones left out, and files."""

    fields: dict[str, str]
    files: list[UploadedFile]


async def read_fields(request: Request) -> dict[str, str]:
    """Read a small form.

    Raises:
        TooLarge: If it is no small one.
        InvalidParameter: If it is no form.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise TooLarge(f"This form takes at most {MOST_BYTES} bytes.")
    try:
        pairs = parse_qsl(body.decode("ascii"), max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise InvalidParameter("This is no form that a page of this service sends.") from None
    return {name: value for name, value in pairs if value}


def listed(fields: dict[str, str], name: str, kind: Callable[[str], Entry]) -> list[Entry]:
    """Return the entries of a field that takes several, with commas or spaces between them.

    Raises:
        InvalidParameter: If one of them is no number where numbers are wanted.
    """
    words = fields.get(name, "").replace(",", " ").split()
    try:
        return [kind(word) for word in words]
    except ValueError:
        raise InvalidParameter(
            f"{name} takes numbers with commas between them; got {fields[name][:LONGEST_ECHO]!r}.",
            pointer=f"/{name}",
        ) from None


def validated(kind: type[Model], options: dict[str, Any]) -> Model:
    """Return the request that a form says.

    Raises:
        InvalidParameter: If it is none; points at the field.
    """
    try:
        return kind.model_validate(options)
    except ValidationError as error:
        raise invalid_parameter(error) from None


def require_own_origin(request: Request) -> None:
    """Refuse what a browser sends for a page of another site.

    Raises:
        Forbidden: If it says so.
    """
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise Forbidden("Forms are taken from this service's own pages only.")


async def _own_form(request: Request, services: Provided) -> AsyncIterator[Form]:
    """Read a form and make sure that its page was made for this session."""
    require_own_origin(request)
    if media_type(request) != MULTIPART:
        form = Form(await read_fields(request), [])
        _require_token(request, services, form.fields.pop(TOKEN, ""))
        yield form
        return
    parts = await read_form(request, services.settings.max_images, MOST_FIELDS, MOST_FIELD_BYTES)
    try:
        texts = {name: value for name, value in parts.items() if isinstance(value, str) and value}
        _require_token(request, services, texts.pop(TOKEN, ""))
        # A browser sends an empty file of no name where none was chosen.
        sent = [part for part in parts.getlist("images") if isinstance(part, UploadFile) and part.filename]
        yield Form(texts, [await file_of(part) for part in sent])
    finally:
        await parts.close()


def _require_token(request: Request, services: Services, token: str) -> None:
    session = getattr(request.state, "session", None)
    if not services.sessions.accepts_form(session.cookie if session else LOCAL, token):
        raise Forbidden("This form is of another session. Open its page again, and send it from there.")


OwnForm = Annotated[Form, Depends(_own_form)]
