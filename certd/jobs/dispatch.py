"""Dispatch: keeps a small window of a job's shards in the queue, and sends again what was lost."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from certd.jobs import keys
from certd.jobs.queue import is_small
from certd.jobs.workforce import Workforce

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis import Redis

    from certd.jobs.job import Job
    from certd.jobs.queue import ShardQueue
    from certd.jobs.storage import JobStorage

SHARDS_A_WORKER = 2


class Dispatcher:
    """Sends a job's missing shards, about two a worker at a time.

    The small window lets jobs share the workers, and lets a cancel take effect quickly. Nothing here is
    needed for correctness: a shard sent twice is computed twice to the same bytes.

    Args:
        storage: Where the finished shards lie.
        redis: Where it is noted what was sent.
        queue: Where messages go.
        resend_after_seconds: How long a sent shard may be neither queued, nor worked on, nor finished; and
            how long one of a large job may wait while small jobs go first.
    """

    def __init__(
        self, storage: JobStorage, redis: Redis, queue: ShardQueue, resend_after_seconds: float
    ) -> None:
        self._storage = storage
        self._redis = redis
        self._queue = queue
        self._resend_after_seconds = resend_after_seconds
        self._workforce = Workforce(redis)

    def dispatch(self, job: Job) -> int:
        """Fill the job's window and return how many shards were sent; none of a job that is to stop."""
        if self._storage.asked_to_cancel(job.id):
            return 0
        finished = self._storage.finished_shards(job.id)
        # Read once: with hundreds of workers this is the dearest question here.
        workers = self._workforce.workers()
        claimed = {worker.shard for worker in workers if worker.job_id == job.id}
        outstanding = (set(self._sent(job.id)) | claimed) - finished
        room = SHARDS_A_WORKER * max(1, len(workers)) - len(outstanding)
        waiting = [s.index for s in job.shards if s.index not in finished and s.index not in outstanding]
        return sum(self._send(job, index) for index in waiting[: max(0, room)])

    def busy(self, job: Job) -> set[int]:
        """Return the shards of a job that workers are at."""
        return self._workforce.claims(job.id)

    def waiting(self) -> set[tuple[str, int]]:
        """Return job and shard of all that is queued."""
        return self._queue.waiting()

    def put_off(self, job_id: str, shard: int, seconds: float) -> None:
        """Have a shard sent again after a while; until then it counts as sent."""
        lost_at = time.time() + min(seconds, self._resend_after_seconds)
        self._redis.hset(keys.sent(job_id), str(shard), str(lost_at - self._resend_after_seconds))

    def forget_lost(self, job: Job, waiting: set[tuple[str, int]]) -> set[int]:
        """Strike off what was sent long ago and is nowhere: not queued, not claimed, not finished.

        Args:
            job: The job.
            waiting: What is queued, of all jobs.
        """
        deadline = time.time() - self._resend_after_seconds
        old = {shard for shard, sent_at in self._sent(job.id).items() if sent_at < deadline}
        lost = {shard for shard in old if (job.id, shard) not in waiting}
        if lost:
            lost -= self._storage.finished_shards(job.id) | self.busy(job)
        for shard in lost:
            self._redis.hdel(keys.sent(job.id), str(shard))
        return lost

    def relieve(self, jobs: Iterable[Job]) -> int:
        """Send a few shards of large jobs ahead, where small jobs have held them up for long.

        Small jobs go first, and would go first for ever if they never ended. So where no worker is at a large
        job, and shards of one were sent long ago, the oldest go ahead: one a worker, and again no sooner than
        after as long. Their first messages stay, and find them finished.

        Returns:
            How many shards were sent.
        """
        large = {job.id: job for job in jobs if not is_small(job)}
        workers = self._workforce.workers() if large else []
        if not workers or any(worker.job_id in large for worker in workers):
            return 0
        deadline = time.time() - self._resend_after_seconds
        held_up = sorted(
            (sent_at, job.id, shard)
            for job in large.values()
            for shard, sent_at in self._unfinished(job).items()
            if sent_at < deadline
        )
        pause = math.ceil(self._resend_after_seconds)
        if not held_up or not self._redis.set(keys.RELIEF, "1", nx=True, ex=pause):
            return 0
        chosen = held_up[: len(workers)]
        for _, job_id, shard in chosen:
            self._queue.send(large[job_id], shard, ahead=True)
        return len(chosen)

    def _unfinished(self, job: Job) -> dict[int, float]:
        """Return when those shards were sent that are not finished; none of a job that is to stop."""
        if self._storage.asked_to_cancel(job.id):
            return {}
        finished = self._storage.finished_shards(job.id)
        return {shard: sent_at for shard, sent_at in self._sent(job.id).items() if shard not in finished}

    def _sent(self, job_id: str) -> dict[int, float]:
        found: dict[str, str] = self._redis.hgetall(keys.sent(job_id))  # type: ignore[assignment]
        return {int(shard): float(sent_at) for shard, sent_at in found.items()}

    def _send(self, job: Job, shard: int) -> bool:
        """Send one shard, unless another process has just done so."""
        key = keys.sent(job.id)
        if not self._redis.hsetnx(key, str(shard), str(time.time())):
            return False
        self._redis.expire(key, keys.LIFETIME_SECONDS)
        self._queue.send(job, shard)
        return True
