"""A client of the REST service; needs no torch."""

from __future__ import annotations

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
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray

    from certd.exchange import Upload
    from certd.result import Result


class Client:
    """Talks to one service.

    Args:
        url: Where it serves, such as ``http://127.0.0.1:8000``.
        key: A bearer key, where the service asks for one.
        timeout_seconds: How long one answer may take.
    """

    def __init__(self, url: str, key: str | None = None, timeout_seconds: float = 60.0) -> None:
        self._timeout_seconds = timeout_seconds
        self._http = httpx.Client(base_url=url, timeout=timeout_seconds, headers=headers_of(key))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def submit(self, request: dict[str, Any], files: Sequence[Upload] = ()) -> dict[str, Any]:
        """Submit a job and return it as queued.

        Args:
            request: The options of the job, under the names of ``POST /v1/jobs``.
            files: Image files, or one ``.npy`` or ``.npz``: paths, or names with their bytes.

        Raises:
            InvalidRequest: With the service's explanation, when it refuses.
            Unavailable: When it cannot be reached.
        """
        return self._json("POST", "/v1/jobs", **submission(request, files))

    def submit_sweep(self, request: dict[str, Any]) -> dict[str, Any]:
        """Submit a sweep over soups, one job, and return it as queued; ``wait`` and ``cancel`` take it.

        Args:
            request: Under the names of ``POST /v1/sweeps``.

        Raises:
            InvalidRequest: With the service's explanation, when it refuses.
        """
        return self._json("POST", "/v1/sweeps", **submission(request))

    def sweep(self, job_id: str) -> dict[str, Any]:
        """Return the question of a sweep and where each of its runs stands."""
        return self._json("GET", f"/v1/sweeps/{job_id}")

    def certify_chosen(self, job_id: str, request: dict[str, Any]) -> dict[str, Any]:
        """Certify the soup that a sweep chose, on other images with fresh noise; return the job as queued.

        Args:
            job_id: The sweep.
            request: Under the names of ``POST /v1/sweeps/ID/certify``.

        Raises:
            InvalidRequest: If the images or the noise chose the soup.
            Conflict: If the sweep has not ended.
        """
        return self._json("POST", f"/v1/sweeps/{job_id}/certify", **submission(request))

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
            remaining = deadline - time.monotonic()
            headers = {} if on_progress else held(self._timeout_seconds, remaining)
            job = self._json("GET", f"/v1/jobs/{job_id}", headers=headers)
            if on_progress is not None:
                on_progress(job)
            if job["status"] in TERMINAL:
                return job
            if time.monotonic() > deadline:
                raise Unavailable(f"{job_id} is still {job['status']} after {timeout_seconds} s; it goes on.")
            if not headers:
                time.sleep(pause)
                pause = min(LAST_POLL_SECONDS, POLL_GROWTH * pause)

    def progress(self, job_id: str) -> Iterator[dict[str, Any]]:
        """Yield the job now and then, and last as it ended."""
        pause = FIRST_POLL_SECONDS
        while True:
            job = self.job(job_id)
            yield job
            if job["status"] in TERMINAL:
                return
            time.sleep(pause)
            pause = min(LAST_POLL_SECONDS, POLL_GROWTH * pause)

    def jobs(self, **wanted: str) -> Iterator[dict[str, Any]]:
        """Yield the jobs, newest first, fetched page by page.

        Args:
            **wanted: ``status``, ``model``, ``dataset``, ``tag`` or ``created_after``.
        """
        page = self._json("GET", "/v1/jobs", params=wanted)
        yield from page["jobs"]
        while page["next_page_token"] is not None:
            page = self._json("GET", "/v1/jobs", params={**wanted, "page_token": page["next_page_token"]})
            yield from page["jobs"]

    def certify(
        self,
        model: str,
        images: NDArray[Any],
        labels: Sequence[int] | NDArray[np.int64] | None = None,
        *,
        sigma: float,
        **options: Any,
    ) -> Result:
        """Certify images at the service and return the run, as :func:`certd.certify` does in this process.

        Args:
            model: A name registered there.
            images: ``[image, channel, height, width]``: uint8, or floats in [0, 1] on the 8-bit grid.
            labels: True classes, one an image.
            sigma: Noise level in input units, pixels in [0, 1].
            **options: Under the names and with the defaults of ``POST /v1/jobs``.

        Raises:
            InvalidRequest: With the service's explanation, when it refuses.
            CertdError: What ended the job, where it did not succeed.
        """
        job = self.submit({"model": model, "sigma": sigma, **options}, [packed(images, labels)])
        succeeded(self.wait(job["id"]))
        return self.run(job["id"])

    def run(self, job_id: str, number: int | None = None) -> Result:
        """Return the job's run as a local one is: every count, concluded anew here; reports take it.

        Args:
            job_id: The job.
            number: Of a sweep: which run.
        """
        return unpacked(self.run_file(job_id, number))

    def estimate(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return what a job would cost, without submitting it."""
        return self._json("POST", "/v1/estimate", json=request)

    def estimate_sweep(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return what a sweep over soups would cost, without submitting it."""
        return self._json("POST", "/v1/sweeps/estimate", json=request)

    def limits(self) -> dict[str, Any]:
        """Return what the service accepts."""
        return self._json("GET", "/v1/limits")

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Ask a job to stop, and return it; what is finished stays."""
        return self._json("POST", f"/v1/jobs/{job_id}/cancel")

    def rerun(self, job_id: str) -> dict[str, Any]:
        """Ask a job's question again with fresh noise; the new job is tagged with the old one's id."""
        return self._json("POST", f"/v1/jobs/{job_id}/rerun", headers=fresh_key())

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

    def run_file(self, job_id: str, number: int | None = None) -> bytes:
        """Return the job's run, every count in it, as Parquet; before the end, what is finished.

        Args:
            job_id: The job.
            number: Of a sweep: which run.
        """
        return self._answer("GET", f"/v1/jobs/{job_id}/certificates", params=run_query(number)).content

    def certificates(self, job_id: str) -> list[dict[str, Any]]:
        """Return one row an image, for the images finished so far."""
        path = f"/v1/jobs/{job_id}/certificates"
        page = self._json("GET", path)
        rows: list[dict[str, Any]] = page["certificates"]
        while page["next_page_token"] is not None:
            page = self._json("GET", path, params={"page_token": page["next_page_token"]})
            rows += page["certificates"]
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
        for pause in exchange.RETRY_PAUSES:
            try:
                response = self._http.request(method, path, **options)
            except httpx.TransportError:
                time.sleep(pause)
                continue
            if not may_pass(response, keyed=keyed):
                return accepted(response)
            time.sleep(max(pause, retry_after(response)))
        try:
            return accepted(self._http.request(method, path, **options))
        except httpx.TransportError as error:
            raise unreachable(self._http.base_url, error) from error
