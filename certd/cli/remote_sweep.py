"""A sweep by a service, kept in a folder as one in this process would be."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

from certd.cli.display import watching
from certd.client import Client
from certd.errors import CertdError, Conflict, InvalidParameter
from certd.settings import load_settings

if TYPE_CHECKING:
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


def _client(server: str) -> Client:
    key = load_settings().key
    return Client(server, None if key is None else key.get_secret_value())


def _fetch(client: Client, job: dict[str, Any], folder: SweepFolder) -> None:
    """Put the runs into the folder as a sweep in this process does."""
    from certd.smoothing.run import read_run
    from certd.smoothing.soup_question import SoupSweep

    if job["status"] != "succeeded":
        why = job["error"]["detail"] if job["error"] else "its finished runs stay there"
        raise CertdError(f"{job['id']} {job['status']}: {why}")
    found = client.sweep(job["id"])
    question = SoupSweep.model_validate(found["question"])
    folder.begin(question)
    for run in found["runs"]:
        member, sigma = question.runs[run["run"]]
        if run["refused"] is not None:
            folder.refuse(member, run["refused"])
        else:
            folder.write(member, sigma, read_run(io.BytesIO(client.run_file(job["id"], run["run"]))))
