"""The backlog: how many messages wait for a worker in each queue, and for how long."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certd.jobs.queue import NAMESPACE, QUEUES

if TYPE_CHECKING:
    from redis import Redis


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in one queue.

    Attributes:
        depth: Messages that no worker has fetched.
        oldest_age_seconds: How long the first of them has waited; 0 in an empty queue.
    """

    depth: int
    oldest_age_seconds: float


def read_backlog(redis: Redis) -> dict[str, Backlog]:
    """Return what waits, by queue. The queues are short: the rest of a job waits in its folder."""
    now = time.time()
    return {name: _read(redis, f"{NAMESPACE}:{name}", now) for name in QUEUES}


def _read(redis: Redis, queue: str, now: float) -> Backlog:
    depth = int(redis.llen(queue))
    first = redis.lindex(queue, 0)
    # Fetched between the two looks, the first message has no body any more.
    message = None if first is None else redis.hget(f"{queue}.msgs", str(first))
    sent_at = now if message is None else json.loads(str(message))["message_timestamp"] / 1000
    return Backlog(depth, max(0.0, now - sent_at))
