"""A census of the jobs: how many are in which state, and what the unfinished ones may still cost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from certd.errors import Gone, NotFound
from certd.jobs.job import JobStatus

if TYPE_CHECKING:
    from certd.jobs.progress import ProgressBoard
    from certd.jobs.storage import JobStorage

REMEMBERED = 100_000


@dataclass(frozen=True, slots=True)
class Count:
    """What one census found.

    Attributes:
        by_state: Jobs in each state, those with none included.
        unfinished_draws: Noise draws that the unfinished jobs may cost at most.
    """

    by_state: dict[JobStatus, int]
    unfinished_draws: int


class Census:
    """Counts the jobs in storage, reading what cannot change once.

    Args:
        storage: Where all jobs lie.
        board: Tells which of them have begun.
    """

    def __init__(self, storage: JobStorage, board: ProgressBoard) -> None:
        self._storage = storage
        self._board = board
        self._draws = lru_cache(REMEMBERED)(lambda job_id: storage.read(job_id).max_draws)
        self._ended: dict[str, JobStatus] = {}

    def take(self) -> Count:
        """Count all jobs."""
        job_ids = self._storage.job_ids()
        states = {job_id: state for job_id in job_ids if (state := self._state(job_id)) is not None}
        self._ended = {job_id: state for job_id, state in states.items() if state.terminal}
        counts = Counter(states.values())
        draws = sum(self._draws(job_id) for job_id, state in states.items() if not state.terminal)
        return Count({state: counts[state] for state in JobStatus}, draws)

    def _state(self, job_id: str) -> JobStatus | None:
        """Return a job's state; None if it was deleted since it was listed."""
        if job_id in self._ended:
            return self._ended[job_id]
        try:
            outcome = self._storage.read_outcome(job_id)
        except (NotFound, Gone):
            return None
        if outcome is not None:
            return outcome.status
        return JobStatus.QUEUED if self._board.started_at(job_id) is None else JobStatus.RUNNING
