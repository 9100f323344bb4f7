"""Expiry: ended jobs are deleted once they are old enough."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from certd.errors import Gone, NotFound
from certd.jobs.job import utc_now

if TYPE_CHECKING:
    from datetime import datetime

    from certd.jobs.storage import JobStorage

REMEMBERED = 100_000


class Expiry:
    """Deletes jobs that ended long ago; what another version wrote, and this one cannot read, it leaves.

    Args:
        storage: Where all jobs lie.
        days: How long a job is kept after its end; None keeps all.
    """

    def __init__(self, storage: JobStorage, days: float | None) -> None:
        self._storage = storage
        self._age = None if days is None else timedelta(days=days)
        self._finished_at = lru_cache(REMEMBERED)(self._read)

    def run(self) -> int:
        """Delete what is old enough, and return how many jobs that were."""
        if self._age is None:
            return 0
        deadline = utc_now() - self._age
        # In this order: a job that is stored between the two is in neither, and not taken for one that ended.
        job_ids, unfinished = self._storage.job_ids(), set(self._storage.unfinished_ids())
        ended = (job_id for job_id in job_ids if job_id not in unfinished)
        return sum(self._delete(job_id) for job_id in ended if self._is_older(job_id, deadline))

    def _is_older(self, job_id: str, deadline: datetime) -> bool:
        finished_at = self._finished_at(job_id)
        return finished_at is not None and finished_at < deadline

    def _read(self, job_id: str) -> datetime | None:
        try:
            outcome = self._storage.read_outcome(job_id)
        except (Gone, NotFound, ValueError):
            return None
        return None if outcome is None else outcome.finished_at

    def _delete(self, job_id: str) -> bool:
        try:
            self._storage.delete(job_id)
        except (Gone, NotFound, ValueError):
            return False
        return True
