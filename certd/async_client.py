"""The client for programs that wait for many things at once; needs no torch."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Any, Self

import httpx

from certd import exchange
from certd.errors import Unavailable
from certd.exchange import (
    FIRST_POLL_SECONDS,
    LAST_POLL_SECONDS,
    POLL_GROWTH,
    TERMINAL,
    accepted,
    fresh_key,
    headers_of,
    held,
    may_pass,
    packed,
    retry_after,
    run_query,
    submission,
    succeeded,
    unpacked,
    unreachable,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray

    from certd.exchange import Upload
    from certd.result import Result


class AsyncClient:
    """Talks to one service as :class:`certd.Client` does, without blocking.

    Args:
        url: Where it serves, such as ``http://127.0.0.1:8000``.
        key: A bearer key, where the service asks for one.
        timeout_seconds: How long one answer may take.
    """

    def __init__(self, url: str, key: str | None = None, timeout_seconds: float = 60.0) -> None:
        self._timeout_seconds = timeout_seconds
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout_seconds, headers=headers_of(key))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.aclose()

    async def submit(self, request: dict[str, Any], files: Sequence[Upload] = ()) -> dict[str, Any]:
        """Submit a job and return it as queued; see :meth:`certd.Client.submit`.

        Raises:
            InvalidRequest: With the service's explanation, when it refuses.
            Unavailable: When it cannot be reached.
        """
        return await self._json("POST", "/v1/jobs", **submission(request, files))

    async def submit_sweep(self, request: dict[str, Any]) -> dict[str, Any]:
        """Submit a sweep over soups and return it as queued; see :meth:`certd.Client.submit_sweep`."""
        return await self._json("POST", "/v1/sweeps", **submission(request))

    async def sweep(self, job_id: str) -> dict[str, Any]:
        """Return the question of a sweep and where each of its runs stands."""
        return await self._json("GET", f"/v1/sweeps/{job_id}")

    async def certify_chosen(self, job_id: str, request: dict[str, Any]) -> dict[str, Any]:
        """Certify the soup that a sweep chose; see :meth:`certd.Client.certify_chosen`."""
        return await self._json("POST", f"/v1/sweeps/{job_id}/certify", **submission(request))

    async def job(self, job_id: str) -> dict[str, Any]:
        """Return a job and where it stands."""
        return await self._json("GET", f"/v1/jobs/{job_id}")

    async def wait(
        self,
        job_id: str,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
        timeout_seconds: float | None = None,
    ) -> dict[str, Any]:
        """Return the job once it has ended; see :meth:`certd.Client.wait`.

        Raises:
            Unavailable: If the job has not ended in time; it goes on.
        """
        deadline = math.inf if timeout_seconds is None else time.monotonic() + timeout_seconds
        pause = FIRST_POLL_SECONDS
        while True:
            remaining = deadline - time.monotonic()
            headers = {} if on_progress else held(self._timeout_seconds, remaining)
            job = await self._json("GET", f"/v1/jobs/{job_id}", headers=headers)
            if on_progress is not None:
                on_progress(job)
            if job["status"] in TERMINAL:
                return job
            if time.monotonic() > deadline:
                raise Unavailable(f"{job_id} is still {job['status']} after {timeout_seconds} s; it goes on.")
            if not headers:
                await asyncio.sleep(pause)
                pause = min(LAST_POLL_SECONDS, POLL_GROWTH * pause)

    async def progress(self, job_id: str) -> AsyncIterator[dict[str, Any]]:
        """Yield the job now and then, and last as it ended."""
        pause = FIRST_POLL_SECONDS
        while True:
            job = await self.job(job_id)
            yield job
            if job["status"] in TERMINAL:
                return
            await asyncio.sleep(pause)
            pause = min(LAST_POLL_SECONDS, POLL_GROWTH * pause)

    async def jobs(self, **wanted: str) -> AsyncIterator[dict[str, Any]]:
        """Yield the jobs, newest first; see :meth:`certd.Client.jobs`."""
        page = await self._json("GET", "/v1/jobs", params=wanted)
        while True:
            for job in page["jobs"]:
                yield job
            if page["next_page_token"] is None:
                return
            page = await self._json(
                "GET", "/v1/jobs", params={**wanted, "page_token": page["next_page_token"]}
            )

    async def certify(
        self,
        model: str,
        images: NDArray[Any],
        labels: Sequence[int] | NDArray[np.int64] | None = None,
        *,
        sigma: float,
        **options: Any,
    ) -> Result:
        """Certify images at the service and return the run; see :meth:`certd.Client.certify`."""
        job = await self.submit({"model": model, "sigma": sigma, **options}, [packed(images, labels)])
        succeeded(await self.wait(job["id"]))
        return await self.run(job["id"])

    async def run(self, job_id: str, number: int | None = None) -> Result:
        """Return the job's run as a local one is; see :meth:`certd.Client.run`."""
        return unpacked(await self.run_file(job_id, number))

    async def estimate(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return what a job would cost, without submitting it."""
        return await self._json("POST", "/v1/estimate", json=request)

    async def estimate_sweep(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return what a sweep over soups would cost, without submitting it."""
        return await self._json("POST", "/v1/sweeps/estimate", json=request)

    async def limits(self) -> dict[str, Any]:
        """Return what the service accepts."""
        return await self._json("GET", "/v1/limits")

    async def cancel(self, job_id: str) -> dict[str, Any]:
        """Ask a job to stop, and return it; what is finished stays."""
        return await self._json("POST", f"/v1/jobs/{job_id}/cancel")

    async def rerun(self, job_id: str) -> dict[str, Any]:
        """Ask a job's question again with fresh noise; the new job is tagged with the old one's id."""
        return await self._json("POST", f"/v1/jobs/{job_id}/rerun", headers=fresh_key())

    async def delete(self, job_id: str) -> None:
        """Delete an ended job with all that it holds.

        Raises:
            Conflict: If it has not ended.
        """
        await self._answer("DELETE", f"/v1/jobs/{job_id}")

    async def datasets(self) -> list[str]:
        """Return the names of the data sets that the service holds."""
        found: list[dict[str, Any]] = (await self._json("GET", "/v1/datasets"))["datasets"]
        return [dataset["name"] for dataset in found]

    async def run_file(self, job_id: str, number: int | None = None) -> bytes:
        """Return the job's run as Parquet; see :meth:`certd.Client.run_file`."""
        answer = await self._answer("GET", f"/v1/jobs/{job_id}/certificates", params=run_query(number))
        return answer.content

    async def certificates(self, job_id: str) -> list[dict[str, Any]]:
        """Return one row an image, for the images finished so far."""
        path = f"/v1/jobs/{job_id}/certificates"
        page = await self._json("GET", path)
        rows: list[dict[str, Any]] = page["certificates"]
        while page["next_page_token"] is not None:
            page = await self._json("GET", path, params={"page_token": page["next_page_token"]})
            rows += page["certificates"]
        return rows

    async def report(self, job_id: str) -> dict[str, Any]:
        """Return the job's report."""
        return await self._json("GET", f"/v1/jobs/{job_id}/report")

    async def page(self, job_id: str) -> str:
        """Return the job's report as one self-contained HTML page."""
        return (await self._answer("GET", f"/v1/jobs/{job_id}/report.html")).text

    async def models(self) -> list[dict[str, Any]]:
        """Return the registered models."""
        models: list[dict[str, Any]] = (await self._json("GET", "/v1/models"))["models"]
        return models

    async def ready(self) -> bool:
        """Return whether the service has a queue and a worker."""
        try:
            return (await self._http.get("/readyz")).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    async def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer: dict[str, Any] = (await self._answer(method, path, **options)).json()
        return answer

    async def _answer(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Return an answer that is no refusal; what may pass is tried again, as the service asks for it."""
        keyed = "Idempotency-Key" in options.get("headers", {})
        for pause in exchange.RETRY_PAUSES:
            try:
                response = await self._http.request(method, path, **options)
            except httpx.TransportError:
                await asyncio.sleep(pause)
                continue
            if not may_pass(response, keyed=keyed):
                return accepted(response)
            await asyncio.sleep(max(pause, retry_after(response)))
        try:
            return accepted(await self._http.request(method, path, **options))
        except httpx.TransportError as error:
            raise unreachable(self._http.base_url, error) from error
