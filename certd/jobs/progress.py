"""Progress: how far each shard is. It lives in Redis, may be lost, and is then read again from the folder."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certd.jobs import keys

if TYPE_CHECKING:
    from redis import Redis

    from certd.jobs.job import Spent
    from certd.smoothing.run import Run


@dataclass(frozen=True, slots=True)
class ShardProgress:
    """How far one shard is; overwritten, never added to, so nothing is counted twice."""

    images_done: int
    images_abstained: int
    draws_done: int

    @classmethod
    def of(cls, run: Run) -> ShardProgress:
        """Return the progress of a shard that is finished."""
        return cls(
            images_done=len(run.certificates),
            images_abstained=sum(certificate.conclusion.abstained for certificate in run.certificates),
            draws_done=sum(certificate.record.total_draws for certificate in run.certificates),
        )

    def encode(self) -> str:
        """Return the value as Redis keeps it."""
        return f"{self.images_done} {self.images_abstained} {self.draws_done}"

    @classmethod
    def decode(cls, text: str) -> ShardProgress:
        """Read what :meth:`encode` wrote."""
        return cls(*(int(part) for part in text.split()))


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a job is: never a bare percentage."""

    images_total: int
    images_done: int
    images_abstained: int
    draws_done: int
    draws_expected: int
    images_per_second: float | None
    eta_seconds: float | None

    @classmethod
    def none(cls, images_total: int, draws_expected: int) -> JobProgress:
        """Return how far a job is that nobody has begun."""
        return cls(
            images_total=images_total,
            images_done=0,
            images_abstained=0,
            draws_done=0,
            draws_expected=draws_expected,
            images_per_second=None,
            eta_seconds=None,
        )

    @classmethod
    def ended(cls, images_total: int, spent: Spent) -> JobProgress:
        """Return how far a job that ended came."""
        return cls(
            images_total=images_total,
            images_done=spent.images_done,
            images_abstained=spent.images_abstained,
            draws_done=spent.draws_done,
            draws_expected=spent.draws_done,
            images_per_second=spent.images_done / spent.seconds if spent.seconds else None,
            eta_seconds=0.0,
        )


class ProgressBoard:
    """Where workers write how far they are and the API reads it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def start(self, job_id: str) -> None:
        """Note the instant of a job's first attempt; later calls change nothing."""
        self._redis.set(keys.started_at(job_id), time.time(), nx=True, ex=keys.LIFETIME_SECONDS)

    def started_at(self, job_id: str) -> float | None:
        """Return the Unix time of the first attempt, or None before it."""
        value = self._redis.get(keys.started_at(job_id))
        return None if value is None else float(value)

    def report(self, job_id: str, shard: int, progress: ShardProgress) -> None:
        """Overwrite how far one shard is."""
        key = keys.progress(job_id)
        self._redis.hset(key, str(shard), progress.encode())
        self._redis.expire(key, keys.LIFETIME_SECONDS)

    def forget(self, job_id: str) -> None:
        """Remove what is remembered of a job that ended; its state says what it has done."""
        self._redis.delete(*keys.of_job(job_id))

    def shards(self, job_id: str) -> dict[int, ShardProgress]:
        """Return how far each begun shard is."""
        found: dict[str, str] = self._redis.hgetall(keys.progress(job_id))  # type: ignore[assignment]
        return {int(shard): ShardProgress.decode(value) for shard, value in found.items()}

    def job(self, job_id: str, images_total: int, max_draws: int) -> JobProgress:
        """Return how far a job is, with speed and time to go once they can be told.

        Args:
            job_id: The job.
            images_total: Its images.
            max_draws: The most draws one of them can cost.
        """
        shards = list(self.shards(job_id).values())
        images_done = sum(shard.images_done for shard in shards)
        draws_done = sum(shard.draws_done for shard in shards)
        draws_expected = _expected_draws(shards, images_total, max_draws)
        started_at = self.started_at(job_id)
        elapsed = None if started_at is None else max(time.time() - started_at, 1e-3)
        return JobProgress(
            images_total=images_total,
            images_done=images_done,
            images_abstained=sum(shard.images_abstained for shard in shards),
            draws_done=draws_done,
            draws_expected=draws_expected,
            images_per_second=images_done / elapsed if elapsed and images_done else None,
            eta_seconds=elapsed * (draws_expected - draws_done) / draws_done
            if elapsed and draws_done
            else None,
        )


def _expected_draws(shards: list[ShardProgress], images_total: int, max_draws: int) -> int:
    """Project the draws of the whole job from the images that are finished: most plans end early."""
    finished = [shard for shard in shards if shard.images_done]
    images = sum(shard.images_done for shard in finished)
    spent = sum(shard.draws_done for shard in finished)
    rest = images_total - images
    projected = spent + (rest * spent // images if images else rest * max_draws)
    return max(projected, sum(shard.draws_done for shard in shards))
