"""Finish: the one place that ends a job, by success or by failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from certd.jobs.job import JobOutcome, JobStatus, utc_now

if TYPE_CHECKING:
    from certd.errors import CertdError
    from certd.jobs.job import Job
    from certd.jobs.storage import JobStorage


def finish_if_complete(storage: JobStorage, job: Job) -> bool:
    """End ``job`` once every shard lies in its folder.

    Two workers may come here at once: one of them writes the state. Reports are rendered when asked for.

    Returns:
        Whether this call ended the job.
    """
    if len(storage.finished_shards(job.id)) < len(job.shards) or storage.read_outcome(job.id) is not None:
        return False
    run = storage.read_run(job.id)
    if run is None or not run.complete:
        return False
    return storage.write_outcome(job.id, JobOutcome(status=JobStatus.SUCCEEDED, finished_at=utc_now()))


def end_if_canceled(storage: JobStorage, job: Job, busy: set[int]) -> bool:
    """End ``job`` once it was asked to stop and no worker is at any of its shards; finished ones stay.

    Args:
        storage: Where the job lies.
        job: The job.
        busy: Shards that workers are at.

    Returns:
        Whether this call ended the job.
    """
    if busy or not storage.asked_to_cancel(job.id) or storage.read_outcome(job.id) is not None:
        return False
    if finish_if_complete(storage, job):
        return True
    return storage.write_outcome(job.id, JobOutcome(status=JobStatus.CANCELED, finished_at=utc_now()))


def fail(storage: JobStorage, job_id: str, error: CertdError, **evidence: Any) -> bool:
    """End a job with the error that stopped it; finished shards stay.

    Returns:
        Whether this call ended the job.
    """
    problem = {"code": error.code, "title": error.title, "detail": error.message, **error.details, **evidence}
    return storage.write_outcome(
        job_id, JobOutcome(status=JobStatus.FAILED, finished_at=utc_now(), error=problem)
    )
