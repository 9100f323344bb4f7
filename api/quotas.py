"""Quotas: how much an owner may ask for in a day, and how many unfinished jobs the service takes on.

A job is charged with the most draws that it can cost, when it is submitted, and the charge stays: what a plan
saves by stopping early is saved by the service. Redis keeps the sum. When Redis has lost it, it is read again
from the folders of the day's jobs, so that a loss forgives at most the jobs of that day that were deleted.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from certd.errors import Gone, NotFound, QuotaExceeded, TooLarge, Unavailable
from certd.jobs import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from redis import Redis

    from certd.access import Caller
    from certd.jobs.storage import JobStorage

NOBODY = "-"
DAY_SECONDS = 24 * 3600
FULL_RETRY_SECONDS = 30
RECOUNT_SECONDS = 1.0

# Two submissions at once must not both fit into the last gap, so the sum is looked at and raised in one step.
_CHARGE = """
local used = tonumber(redis.call('GET', KEYS[1]) or ARGV[3])
if used + tonumber(ARGV[1]) > tonumber(ARGV[2]) then return string.format('%.0f', used) end
redis.call('SET', KEYS[1], string.format('%.0f', used + tonumber(ARGV[1])), 'EX', ARGV[4])
return false
"""


class DailyQuota:
    """Noise draws that each owner may ask for in a day of UTC.

    Args:
        redis: Where the sums are kept.
        storage: Where all jobs lie, of every owner.
        max_draws: The service's limit; None for none. A key may carry its own.
    """

    def __init__(self, redis: Redis, storage: JobStorage, max_draws: int | None) -> None:
        self._redis = redis
        self._storage = storage
        self._max_draws = max_draws

    @contextmanager
    def charged(self, caller: Caller, draws: int) -> Iterator[None]:
        """Charge ``draws`` to the caller's owner; given back when the block fails.

        Raises:
            TooLarge: If no day has room for so many.
            QuotaExceeded: If this day has no room left for them.
        """
        limit = caller.max_draws_per_day or self._max_draws
        if limit is None:
            yield
            return
        now = datetime.now(UTC)
        key = keys.quota(caller.owner or NOBODY, now.date())
        self._charge(key, caller.owner, draws, limit, now)
        try:
            yield
        except BaseException:
            self._redis.decrby(key, draws)
            raise

    def _charge(self, key: str, owner: str | None, draws: int, limit: int, now: datetime) -> None:
        if draws > limit:
            raise TooLarge(
                f"This job could cost {draws:,} noise draws; {limit:,} may be asked for in a whole day. "
                "Send fewer images or ask for a smaller n.",
                max_draws_per_day=limit,
                draws_asked=draws,
            )
        known = 0 if self._redis.exists(key) else self._spent(owner, now)
        used = self._redis.eval(_CHARGE, 1, key, draws, limit, known, 2 * DAY_SECONDS)
        if used is not None:
            raise _exceeded(int(used), draws, limit, now)

    def _spent(self, owner: str | None, now: datetime) -> int:
        """Sum what the owner's jobs of this day can cost, from their folders."""
        spent = 0
        for job_id in self._storage.job_ids():
            try:
                job = self._storage.read(job_id)
            except (Gone, NotFound):
                continue
            if job.created_at.date() < now.date():
                break
            spent += job.max_draws if job.owner == owner else 0
        return spent


def _exceeded(used: int, draws: int, limit: int, now: datetime) -> QuotaExceeded:
    resets_at = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
    return QuotaExceeded(
        f"Of {limit:,} noise draws a day, {used:,} are spent and {max(0, limit - used):,} are left; "
        f"this job could cost {draws:,}. The next day of UTC begins at {resets_at:%Y-%m-%dT%H:%MZ}.",
        max_draws_per_day=limit,
        draws_used=used,
        draws_asked=draws,
        resets_at=resets_at.isoformat(),
        retry_after_seconds=int((resets_at - now).total_seconds()) + 1,
    )


class Backpressure:
    """Refuses jobs while too many are unfinished.

    They are counted at most once a second, so that a burst may overshoot by what arrives within it.

    Args:
        count: Counts the unfinished jobs.
        max_unfinished: How many there may be before one more.
    """

    def __init__(self, count: Callable[[], int], max_unfinished: int) -> None:
        self._count = count
        self._max_unfinished = max_unfinished
        self._known = 0
        self._counted_at = -RECOUNT_SECONDS

    def require_room(self) -> None:
        """Refuse one more job when the service has enough of them.

        Raises:
            Unavailable: With the arithmetic, and when to ask again.
        """
        now = time.monotonic()
        if now - self._counted_at >= RECOUNT_SECONDS:
            self._known, self._counted_at = self._count(), now
        if self._known >= self._max_unfinished:
            raise Unavailable(
                f"{self._known:,} jobs are unfinished and at most {self._max_unfinished:,} may be. "
                f"Try again in {FULL_RETRY_SECONDS} seconds.",
                unfinished_jobs=self._known,
                max_unfinished_jobs=self._max_unfinished,
                retry_after_seconds=FULL_RETRY_SECONDS,
            )
