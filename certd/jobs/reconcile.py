"""The reconciler: compares storage with the plan and puts right what the queue has lost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from certd.errors import Gone, NotFound
from certd.jobs import keys
from certd.jobs.finish import Finisher

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis import Redis

    from certd.jobs.dispatch import Dispatcher
    from certd.jobs.job import Job
    from certd.jobs.progress import ProgressBoard
    from certd.jobs.storage import JobStorage


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What one round found to do.

    Attributes:
        resent: Shards sent.
        reseeded: Shards put back on the board.
        finished: Jobs ended.
        relieved: Shards sent ahead of small jobs.
        unreadable: Jobs that could not be brought forward, and why.
    """

    resent: int
    reseeded: int
    finished: int
    relieved: int
    unreadable: Mapping[str, str]


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
        done: Counter[str] = Counter()
        jobs: list[Job] = []
        unreadable: dict[str, str] = {}
        waiting = self._dispatcher.waiting()
        for job_id in self._storage.unfinished_ids():
            try:
                job = self._storage.read(job_id)
                done.update(self._bring_forward(job, waiting))
                jobs.append(job)
            except (Gone, NotFound):
                continue
            except RedisError:
                raise
            except Exception as error:  # noqa: BLE001 - one job of a newer version must not hold all others up
                unreadable[job_id] = f"{type(error).__name__}: {error}"
        return Reconciled(
            done["resent"], done["reseeded"], done["finished"], self._dispatcher.relieve(jobs), unreadable
        )

    def _bring_forward(self, job: Job, waiting: set[tuple[str, int]]) -> dict[str, int]:
        """Do what one job needs, and return how much of each kind that was."""
        reseeded = self._reseed(job)
        finished = self._finisher.end_if_complete(job)
        finished |= self._finisher.end_if_canceled(job, self._dispatcher.busy(job))
        self._dispatcher.forget_lost(job, waiting)
        return {"reseeded": reseeded, "finished": finished, "resent": self._dispatcher.dispatch(job)}

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
