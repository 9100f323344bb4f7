"""A client of the REST service; needs no torch."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

import httpx

from certd import errors
from certd.errors import CertdError, Unavailable, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

TERMINAL = frozenset({"succeeded", "failed", "canceled", "expired"})
FIRST_POLL_SECONDS, LAST_POLL_SECONDS = 0.01, 0.5
POLL_GROWTH = 1.3
"""Small jobs are over in moments; long ones are asked about now and then."""
LONG_POLL_SECONDS = 20.0
RETRY_PAUSES, LONG_PAUSE = (0.1, 0.5, 2.0), 5.0
PASSING = frozenset({429, 503})
"""Answers after which a request may be sent again; each of ours may, since submissions carry a key."""


class Client:
    """Talks to one service.

    Args:
        url: Where it serves, such as ``http://127.0.0.1:8000``.
        key: A bearer key, where the service asks for one.
        timeout_seconds: How long one answer may take.
    """

    def __init__(self, url: str, key: str | None = None, timeout_seconds: float = 60.0) -> None:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=url, timeout=timeout_seconds, headers=headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def submit(
        self, request: dict[str, Any], files: Sequence[Path | tuple[str, bytes]] = ()
    ) -> dict[str, Any]:
        """Submit a job and return it as queued.

        Args:
            request: The options of the job, under the names of ``POST /v1/jobs``.
            files: Image files, or one ``.npy`` or ``.npz``: paths, or names with their bytes.

        Raises:
            InvalidRequest: With the service's explanation, when it refuses.
            Unavailable: When it cannot be reached.
        """
        # Sent again after a lost answer, the request finds the job that it has made.
        headers = {"Idempotency-Key": str(uuid4())}
        if not files:
            return self._json("POST", "/v1/jobs", json=request, headers=headers)
        named = [(f.name, f.read_bytes()) if isinstance(f, Path) else f for f in files]
        parts = [("images", (name, content, "application/octet-stream")) for name, content in named]
        return self._json(
            "POST", "/v1/jobs", data={"request": json.dumps(request)}, files=parts, headers=headers
        )

    def job(self, job_id: str) -> dict[str, Any]:
        """Return a job and where it stands."""
        return self._json("GET", f"/v1/jobs/{job_id}")

    def wait(
        self,
        job_id: str,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
        timeout_seconds: float | None = None,
    ) -> dict[str, Any]:
        """Return the job once it has ended.

        Without ``on_progress`` the service answers when that is; with it, the job is asked about again and
        again.

        Args:
            job_id: The job.
            on_progress: Called with the job at each poll.
            timeout_seconds: How long to wait at most.

        Raises:
            Unavailable: If the job has not ended in time; it goes on.
        """
        deadline = math.inf if timeout_seconds is None else time.monotonic() + timeout_seconds
        pause = FIRST_POLL_SECONDS
        while True:
            patience = max(0.0, min(LONG_POLL_SECONDS, deadline - time.monotonic()))
            headers = {} if on_progress else {"Prefer": f"wait={math.ceil(patience)}"}
            job = self._json("GET", f"/v1/jobs/{job_id}", headers=headers)
            if on_progress is not None:
                on_progress(job)
            if job["status"] in TERMINAL:
                return job
            if time.monotonic() > deadline:
                raise Unavailable(f"{job_id} is still {job['status']} after {timeout_seconds} s; it goes on.")
            if on_progress is not None:
                time.sleep(pause)
                pause = min(LAST_POLL_SECONDS, POLL_GROWTH * pause)

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Ask a job to stop, and return it; what is finished stays."""
        return self._json("POST", f"/v1/jobs/{job_id}/cancel")

    def delete(self, job_id: str) -> None:
        """Delete an ended job with all that it holds.

        Raises:
            Conflict: If it has not ended.
        """
        self._answer("DELETE", f"/v1/jobs/{job_id}")

    def datasets(self) -> list[str]:
        """Return the names of the data sets that the service holds."""
        found: list[dict[str, Any]] = self._json("GET", "/v1/datasets")["datasets"]
        return [dataset["name"] for dataset in found]

    def run_file(self, job_id: str) -> bytes:
        """Return the job's run, every count in it, as Parquet; before the end, what is finished."""
        return self._answer("GET", f"/v1/jobs/{job_id}/certificates?format=parquet").content

    def certificates(self, job_id: str) -> list[dict[str, Any]]:
        """Return one row an image, for the images finished so far."""
        rows: list[dict[str, Any]] = self._json("GET", f"/v1/jobs/{job_id}/certificates")["certificates"]
        return rows

    def report(self, job_id: str) -> dict[str, Any]:
        """Return the job's report."""
        return self._json("GET", f"/v1/jobs/{job_id}/report")

    def page(self, job_id: str) -> str:
        """Return the job's report as one self-contained HTML page."""
        return self._answer("GET", f"/v1/jobs/{job_id}/report.html").text

    def models(self) -> list[dict[str, Any]]:
        """Return the registered models."""
        models: list[dict[str, Any]] = self._json("GET", "/v1/models")["models"]
        return models

    def ready(self) -> bool:
        """Return whether the service has a queue and a worker."""
        try:
            return self._http.get("/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._answer(method, path, **options).json()
        return answer

    def _answer(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Return an answer that is no refusal; what may pass is tried again, as the service asks for it."""
        keyed = "Idempotency-Key" in options.get("headers", {})
        for pause in RETRY_PAUSES:
            try:
                response = self._http.request(method, path, **options)
            except httpx.TransportError:
                time.sleep(pause)
                continue
            if not _may_pass(response, keyed=keyed):
                return _accepted(response)
            time.sleep(max(pause, _retry_after(response)))
        try:
            return _accepted(self._http.request(method, path, **options))
        except httpx.TransportError as error:
            raise Unreachable(
                f"{self._http.base_url} cannot be reached ({error}). Is the server up?"
            ) from error


def _accepted(response: httpx.Response) -> httpx.Response:
    """Return an answer, or raise the refusal that it is."""
    if response.is_error:
        raise _error(response)
    return response


def _may_pass(response: httpx.Response, *, keyed: bool) -> bool:
    """Return whether the same request may be answered otherwise in a moment."""
    in_flight = keyed and response.status_code == httpx.codes.CONFLICT
    return (response.status_code in PASSING or in_flight) and _retry_after(response) <= LONG_PAUSE


def _retry_after(response: httpx.Response) -> float:
    """Return the seconds after which the service wants to be asked again; 0 where it does not say."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else 0.0


def _error(response: httpx.Response) -> CertdError:
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
