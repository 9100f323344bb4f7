"""The workforce: which workers live, and which shard each has in hand."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from certd.jobs import keys

if TYPE_CHECKING:
    from redis import Redis

BEAT_SECONDS = 2.0
LIFETIME_BEATS = 5


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What one worker says of itself."""

    worker_id: str
    device: str
    started_at: float
    seen_at: float
    job_id: str | None = None
    shard: int | None = None
    version: str | None = None


class Workforce:
    """The live workers, as far as Redis knows."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def beat(self, state: WorkerState) -> None:
        """Say that a worker lives and what it has in hand."""
        lifetime = int(BEAT_SECONDS * LIFETIME_BEATS * 1000)
        with self._redis.pipeline() as pipeline:
            pipeline.set(keys.worker(state.worker_id), json.dumps(asdict(state)), px=lifetime)
            pipeline.sadd(keys.WORKERS, state.worker_id)
            pipeline.execute()

    def leave(self, worker_id: str) -> None:
        """Say that a worker has stopped."""
        self._redis.delete(keys.worker(worker_id))
        self._redis.srem(keys.WORKERS, worker_id)

    def workers(self) -> list[WorkerState]:
        """Return the live workers."""
        names: list[str] = sorted(self._redis.smembers(keys.WORKERS))  # type: ignore[arg-type]
        values = self._redis.mget([keys.worker(name) for name in names]) if names else []
        dead = [name for name, value in zip(names, values, strict=True) if not value]
        if dead:
            self._redis.srem(keys.WORKERS, *dead)
        return [WorkerState(**json.loads(value)) for value in values if value]

    def size(self) -> int:
        """Return how many workers live."""
        return len(self.workers())

    def claims(self, job_id: str) -> set[int]:
        """Return the shards of a job that some live worker has in hand."""
        return {w.shard for w in self.workers() if w.job_id == job_id and w.shard is not None}
