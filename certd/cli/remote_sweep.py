"""A sweep by a service, kept in a folder as one in this process would be."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

from certd.cli.display import watching
from certd.cli.soup import scaled_weights
from certd.client import Client
from certd.errors import CertdError, Conflict, InvalidParameter
from certd.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from certd.smoothing.run import Run
    from certd.smoothing.soup_sweep import SweepFolder


def sweep_remotely(server: str, request: dict[str, Any], folder: SweepFolder) -> None:
    """Have a service sweep, watch it, and fetch every run.

    Args:
        server: URL of the service.
        request: Under the names of ``POST /v1/sweeps``.
        folder: Where the runs go; reports and the final certificate read it like any other.

    Raises:
        Conflict: If the folder holds a sweep already.
        InvalidRequest: With the service's explanation, when it refuses.
        CertdError: If the sweep did not succeed.
    """
    if folder.path.exists() and any(folder.path.iterdir()):
        raise Conflict(f"{folder.path} is not empty; choose another folder.")
    with _client(server) as client:
        job = client.submit_sweep(request)
        found, progress = job["sweep"], job["progress"]
        sys.stderr.write(
            f"{found['soups']} soups, {found['images']} images, seed {job['certification']['seed']}, "
            f"at most {progress['draws_expected']} draws, {job['id']}\n"
        )
        try:
            ended = watching(client, job)
        except KeyboardInterrupt:
            sys.stderr.write(
                f"\n{job['id']} goes on. Fetch it with: "
                f"certd soup fetch {folder.path} {job['id']} --server {server}\n"
            )
            raise
        _fetch(client, ended, folder)


def fetch_sweep(server: str, job_id: str, folder: SweepFolder) -> None:
    """Fetch every run of a sweep that a service has finished.

    Raises:
        InvalidParameter: If the job is no sweep, or has not ended.
        CertdError: If it did not succeed.
    """
    with _client(server) as client:
        job = client.job(job_id)
        if job["status"] in {"queued", "running", "canceling"}:
            raise InvalidParameter(f"{job_id} is still {job['status']}; fetch it once it has ended.")
        _fetch(client, job, folder)


def certify_remotely(
    server: str, job_id: str, weights: str | None, request: dict[str, Any], out: Path
) -> Run:
    """Have a service certify the soup that a sweep of its chose, and keep the run.

    Args:
        server: URL of the service.
        job_id: The sweep.
        weights: Which soup, such as ``0.6,0.4``; None for the best.
        request: The rest, under the names of ``POST /v1/sweeps/ID/certify``.
        out: Where the run goes.

    Raises:
        Conflict: If ``out`` exists, or the sweep has not ended.
        InvalidRequest: If images or noise chose the soup, with the service's explanation.
        CertdError: If the job did not succeed.
    """
    from certd.smoothing.run import read_run

    if out.exists():
        raise Conflict(f"{out} exists; choose another --out.")
    with _client(server) as client:
        steps = {} if weights is None else {"weights": _in_steps(weights, client.job(job_id))}
        job = client.certify_chosen(job_id, {**request, **steps})
        sys.stderr.write(f"{job['certification']['model'].partition('@')[0]}, {job['id']}\n")
        content = client.run_file(_succeeded(watching(client, job))["id"])
    out.write_bytes(content)
    return read_run(io.BytesIO(content))


def _client(server: str) -> Client:
    key = load_settings().key
    return Client(server, None if key is None else key.get_secret_value())


def _fetch(client: Client, job: dict[str, Any], folder: SweepFolder) -> None:
    """Put the runs into the folder as a sweep in this process does."""
    from certd.smoothing.run import read_run
    from certd.smoothing.soup_question import SoupSweep

    found = client.sweep(_succeeded(job)["id"])
    question = SoupSweep.model_validate(found["question"])
    folder.begin(question)
    for run in found["runs"]:
        member, sigma = question.runs[run["run"]]
        if run["refused"] is not None:
            folder.refuse(member, run["refused"])
        else:
            folder.write(member, sigma, read_run(io.BytesIO(client.run_file(job["id"], run["run"]))))


def _in_steps(weights: str, job: dict[str, Any]) -> list[int]:
    """Return weights in steps of a sweep of a service."""
    if job["sweep"] is None:
        raise InvalidParameter(f"{job['id']} is no sweep.")
    return list(scaled_weights(weights, job["sweep"]["units"]))


def _succeeded(job: dict[str, Any]) -> dict[str, Any]:
    """Return a job that ended well; else say what ended it."""
    if job["status"] != "succeeded":
        why = job["error"]["detail"] if job["error"] else "what is finished of it stays there"
        raise CertdError(f"{job['id']} {job['status']}: {why}")
    return job
