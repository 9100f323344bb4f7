"""The reconciler: compares storage with the plan and puts right what the queue has lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certd.errors import Gone, NotFound
from certd.jobs import keys
from certd.jobs.finish import Finisher

if TYPE_CHECKING:
    from redis import Redis

    from certd.jobs.dispatch import Dispatcher
    from certd.jobs.job import Job
    from certd.jobs.progress import ProgressBoard
    from certd.jobs.storage import JobStorage


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What one round found to do: shards sent, put back on the board, ended, and sent ahead of small jobs."""

    resent: int
    reseeded: int
    finished: int
    relieved: int


class Reconciler:
    """Brings every unfinished job forward, whatever was killed or flushed.

    One at a time, under a lock that expires with its holder. Storage is the truth: what lies in the folder is
    done, what does not is sent again.
    """

    def __init__(
        self, storage: JobStorage, redis: Redis, dispatcher: Dispatcher, board: ProgressBoard
    ) -> None:
        self._storage = storage
        self._redis = redis
        self._dispatcher = dispatcher
        self._board = board
        self._finisher = Finisher(storage, board)

    def run(self, lock_seconds: float) -> Reconciled | None:
        """Do one round over all unfinished jobs; None if another process is at it."""
        if not self._redis.set(keys.RECONCILER, "1", nx=True, px=int(lock_seconds * 1000)):
            return None
        self._storage.sweep()
        resent = reseeded = finished = 0
        jobs: list[Job] = []
        for job_id in self._storage.unfinished_ids():
            try:
                job = self._storage.read(job_id)
            except (Gone, NotFound):
                continue
            reseeded += self._reseed(job)
            finished += self._finisher.end_if_complete(job)
            finished += self._finisher.end_if_canceled(job, self._dispatcher.busy(job))
            self._dispatcher.forget_lost(job)
            resent += self._dispatcher.dispatch(job)
            jobs.append(job)
        return Reconciled(resent, reseeded, finished, self._dispatcher.relieve(jobs))

    def _reseed(self, job: Job) -> int:
        """Put the progress of finished shards back where Redis does not know it."""
        known = self._board.shards(job.id)
        missing = [
            index
            for index in self._storage.finished_shards(job.id)
            if index not in known or known[index].images_done < len(job.shards[index])
        ]
        for index in missing:
            self._board.report(job.id, index, self._storage.shard_progress(job, index))
        return len(missing)
