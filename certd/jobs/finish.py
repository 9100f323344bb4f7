"""Finish: the one place that ends a job, by success, by failure or because it was asked to stop."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from certd.jobs.job import JobOutcome, JobStatus, Spent, utc_now

if TYPE_CHECKING:
    from certd.errors import CertdError
    from certd.jobs.job import Job
    from certd.jobs.progress import ProgressBoard
    from certd.jobs.storage import JobStorage


class Finisher:
    """Ends jobs. Several processes may come to the same end at once: one of them writes the state.

    The state says what the job has done, for progress is forgotten. Reports are rendered when asked for.

    Args:
        storage: Where the jobs lie.
        board: Remembers when each began.
    """

    def __init__(self, storage: JobStorage, board: ProgressBoard) -> None:
        self._storage = storage
        self._board = board

    def end_if_complete(self, job: Job) -> bool:
        """End ``job`` once every shard lies in its folder; return whether this call did."""
        if len(self._storage.finished_shards(job.id)) < len(job.shards) or self._has_ended(job.id):
            return False
        return self._end(job.id, JobStatus.SUCCEEDED)

    def end_if_canceled(self, job: Job, busy: set[int]) -> bool:
        """End ``job`` once it was asked to stop and no worker is at any of its shards; finished ones stay.

        Args:
            job: The job.
            busy: Shards that workers are at.

        Returns:
            Whether this call ended the job.
        """
        if busy or not self._storage.asked_to_cancel(job.id) or self._has_ended(job.id):
            return False
        if self.end_if_complete(job):
            return True
        return self._end(job.id, JobStatus.CANCELED)

    def fail(self, job_id: str, error: CertdError, **evidence: Any) -> bool:
        """End a job with the error that stopped it; return whether this call did. Finished shards stay."""
        problem = {
            "code": error.code,
            "title": error.title,
            "detail": error.message,
            **error.details,
            **evidence,
        }
        return self._end(job_id, JobStatus.FAILED, problem)

    def _has_ended(self, job_id: str) -> bool:
        return self._storage.read_outcome(job_id) is not None

    def _end(self, job_id: str, status: JobStatus, problem: dict[str, Any] | None = None) -> bool:
        outcome = JobOutcome(status=status, finished_at=utc_now(), error=problem, spent=self._spent(job_id))
        first = self._storage.write_outcome(job_id, outcome)
        self._board.forget(job_id)
        return first

    def _spent(self, job_id: str) -> Spent:
        """Sum what the finished shards say, each read from its file: nothing is counted twice."""
        job, began = self._storage.read(job_id), self._board.started_at(job_id)
        done = [self._storage.shard_progress(job, index) for index in self._storage.finished_shards(job_id)]
        return Spent(
            images_done=sum(each.images_done for each in done),
            images_abstained=sum(each.images_abstained for each in done),
            draws_done=sum(each.draws_done for each in done),
            seconds=None if began is None else max(0.0, time.time() - began),
        )
