"""What both clients know of the service: how to ask, what to ask again, and what a refusal means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx

from certd import errors
from certd.errors import CertdError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

TERMINAL = frozenset({"succeeded", "failed", "canceled", "expired"})
FIRST_POLL_SECONDS, LAST_POLL_SECONDS = 0.01, 0.5
POLL_GROWTH = 1.3
"""Small jobs are over in moments; long ones are asked about now and then."""
LONG_POLL_SECONDS = 20.0
RETRY_PAUSES, LONG_PAUSE = (0.1, 0.5, 2.0), 5.0
PASSING = frozenset({429, 503})
"""Answers after which a request may be sent again; each of ours may, since submissions carry a key."""

Upload = Path | tuple[str, bytes]


def headers_of(key: str | None) -> dict[str, str]:
    """Return the headers of every request."""
    return {} if key is None else {"Authorization": f"Bearer {key}"}


def submission(request: dict[str, Any], files: Sequence[Upload]) -> dict[str, Any]:
    """Return the options of an HTTP request that submits a job.

    Sent again after a lost answer, it finds the job that it has made.
    """
    headers = {"Idempotency-Key": str(uuid4())}
    if not files:
        return {"json": request, "headers": headers}
    named = [(f.name, f.read_bytes()) if isinstance(f, Path) else f for f in files]
    parts = [("images", (name, content, "application/octet-stream")) for name, content in named]
    return {"data": {"request": json.dumps(request)}, "files": parts, "headers": headers}


def unreachable(url: object, error: httpx.TransportError) -> Unreachable:
    """Return the error of a server that does not answer."""
    return Unreachable(f"{url} cannot be reached ({error}). Is the server up?")


def accepted(response: httpx.Response) -> httpx.Response:
    """Return an answer, or raise the refusal that it is."""
    if response.is_error:
        raise error_of(response)
    return response


def may_pass(response: httpx.Response, *, keyed: bool) -> bool:
    """Return whether the same request may be answered otherwise in a moment."""
    in_flight = keyed and response.status_code == httpx.codes.CONFLICT
    return (response.status_code in PASSING or in_flight) and retry_after(response) <= LONG_PAUSE


def retry_after(response: httpx.Response) -> float:
    """Return the seconds after which the service wants to be asked again; 0 where it does not say."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else 0.0


def error_of(response: httpx.Response) -> CertdError:
    """Return the error that a problem document stands for, as the class that its code names."""
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    kinds = {
        kind.code: kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, CertdError)
    }
    kind = kinds.get(problem.get("code", ""), CertdError)
    known = {"type", "title", "status", "detail", "code", "pointer"}
    details = {name: value for name, value in problem.items() if name not in known}
    message = problem.get("detail", f"The service answered {response.status_code}.")
    return kind(message, pointer=problem.get("pointer"), **details)
