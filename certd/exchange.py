"""What both clients know of the service: how to ask, what to ask again, and what a refusal means."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx

from certd import errors
from certd.errors import CertdError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from certd.result import Result

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


def submission(request: dict[str, Any], files: Sequence[Upload] = ()) -> dict[str, Any]:
    """Return the options of an HTTP request that submits a job.

    Sent again after a lost answer, it finds the job that it has made.
    """
    headers = fresh_key()
    if not files:
        return {"json": request, "headers": headers}
    named = [(f.name, f.read_bytes()) if isinstance(f, Path) else f for f in files]
    parts = [("images", (name, content, "application/octet-stream")) for name, content in named]
    return {"data": {"request": json.dumps(request)}, "files": parts, "headers": headers}


def fresh_key() -> dict[str, str]:
    """Return the header under which one request, however often it is sent, makes one job."""
    return {"Idempotency-Key": str(uuid4())}


def run_query(number: int | None) -> dict[str, str | int]:
    """Return the query that asks for a run as Parquet, and of a sweep for one by its number."""
    return {"format": "parquet", **({} if number is None else {"run": number})}


def held(timeout_seconds: float, remaining_seconds: float) -> dict[str, str]:
    """Return the headers that ask the service to answer when a job ends, well within what an answer may take.

    Empty where there is no whole second to wait for.

    Args:
        timeout_seconds: How long one answer may take.
        remaining_seconds: How much longer the job is waited for.
    """
    longest = math.ceil(min(LONG_POLL_SECONDS, timeout_seconds // 2, remaining_seconds))
    return {"Prefer": f"wait={longest}"} if longest >= 1 else {}


def packed(images: NDArray[Any], labels: Sequence[int] | NDArray[np.int64] | None) -> Upload:
    """Return images and labels as the one file that the service takes for both."""
    import numpy as np  # noqa: PLC0415 - a client that sends files needs none

    arrays = {"images": np.asarray(images)}
    if labels is not None:
        arrays["labels"] = np.asarray(labels)
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **arrays)
    return "images.npz", stream.getvalue()


def unpacked(content: bytes) -> Result:
    """Return the run in a Parquet file, every conclusion drawn anew from its counts."""
    from certd.result import Result  # noqa: PLC0415 - reports take a second to import
    from certd.smoothing.run import read_run  # noqa: PLC0415

    return Result.of(read_run(io.BytesIO(content)))


def succeeded(job: dict[str, Any]) -> dict[str, Any]:
    """Return a job that ended well.

    Raises:
        CertdError: What ended it otherwise, as the class that its code names.
    """
    if job["status"] == "succeeded":
        return job
    problem = job["error"] or {"detail": f"The job {job['id']} was {job['status']} before it ended."}
    raise error_of(problem, "The job failed.")


def unreachable(url: object, error: httpx.TransportError) -> Unreachable:
    """Return the error of a server that does not answer."""
    return Unreachable(f"{url} cannot be reached ({error}). Is the server up?")


def accepted(response: httpx.Response) -> httpx.Response:
    """Return an answer, or raise the refusal that it is."""
    if response.is_error:
        raise refusal_of(response)
    return response


def may_pass(response: httpx.Response, *, keyed: bool) -> bool:
    """Return whether the same request may be answered otherwise in a moment."""
    in_flight = keyed and response.status_code == httpx.codes.CONFLICT
    return (response.status_code in PASSING or in_flight) and retry_after(response) <= LONG_PAUSE


def retry_after(response: httpx.Response) -> float:
    """Return the seconds after which the service wants to be asked again; 0 where it does not say."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else 0.0


def refusal_of(response: httpx.Response) -> CertdError:
    """Return the error that an answer's problem document stands for; of another answer, its status."""
    try:
        found = response.json()
    except ValueError:
        found = None
    problem = {"code": "http-error", "title": response.reason_phrase, "status": response.status_code}
    if isinstance(found, dict):
        problem |= found
    return error_of(problem, f"The service answered {response.status_code}.")


def error_of(problem: Mapping[str, Any], otherwise: str) -> CertdError:
    """Return the error that a problem document stands for, as the class that its code names.

    Where there is no such class, the error keeps the code, title and status of the document.
    """
    kinds = {
        kind.code: kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, CertdError)
    }
    kind = kinds.get(problem.get("code", ""), CertdError)
    known = {"type", "title", "status", "detail", "code", "pointer"}
    details = {name: value for name, value in problem.items() if name not in known}
    error = kind(problem.get("detail", otherwise), pointer=problem.get("pointer"), **details)
    error.code = problem.get("code", error.code)
    error.title = problem.get("title", error.title)
    error.status = problem.get("status", error.status)
    return error
