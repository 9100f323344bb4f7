"""The queue: names, messages and the broker's settings. A message carries ids only."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

import dramatiq
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from certd.jobs.job import Job

NAMESPACE = "certd:queue"
HIGH, LOW = "high", "low"
QUEUES = (HIGH, LOW)

# A job this small should not wait behind the backlog of large ones.
SMALL_JOB_DRAWS = 2_000_000

# Of a million commands so many look for the messages of dead workers; at the broker's own default of 1000
# a killed worker's shard stays lost for minutes.
_MAINTENANCE_CHANCE = 100_000


def is_small(job: Job) -> bool:
    """Return whether the job's shards go before those of large jobs."""
    return job.max_draws <= SMALL_JOB_DRAWS


class _UntilStopped(ExponentialBackoff):
    """Waits between tries, but not once the process is to stop: then the next failure is the last."""

    def __init__(self, stopped: Event) -> None:
        super().__init__(cap=1.0, base=0.05)
        self._stopped = stopped

    def __deepcopy__(self, _: object) -> _UntilStopped:
        # Each connection copies its policy; they all wait for the one event.
        return self

    def compute(self, failures: int) -> float:
        if self._stopped.wait(super().compute(failures)):
            raise RedisConnectionError("The queue's server is away, and this process is to stop.")
        return 0.0


def connect(url: str, retries: int, stopped: Event | None = None) -> Redis:
    """Return a client that decodes text, and tries again while the server is away.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
        retries: Tries after the first, at most a second apart. A worker is patient, an API answers 503 soon.
        stopped: Set once the process is to stop; there are no more tries then.
    """
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=10,
        socket_connect_timeout=5,
        retry=Retry(_UntilStopped(stopped or Event()), retries),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
    )


def make_broker(url: str, heartbeat_timeout_seconds: float) -> RedisBroker:
    """Return the broker that API and workers share.

    It has no middleware: attempts are counted by us, a shard may take as long as it takes, and results live
    in files.
    """
    broker = RedisBroker(  # type: ignore[no-untyped-call]
        url=url,
        middleware=[],
        namespace=NAMESPACE,
        maintenance_chance=_MAINTENANCE_CHANCE,
        heartbeat_timeout=int(heartbeat_timeout_seconds * 1000),
    )
    for name in QUEUES:
        broker.declare_queue(name)
    return broker


def declare_actors(broker: RedisBroker, certify_shard: Callable[[str, int], None]) -> None:
    """Have a worker call ``certify_shard`` with the job and the shard of each message it fetches.

    There is one actor a queue, for a worker orders the messages it holds by their actors' priorities: shards
    of small jobs come first. See ``Dispatcher.relieve`` for what keeps them from coming first for ever.
    """
    for priority, queue in enumerate(QUEUES):
        actor = dramatiq.actor(
            actor_name=_actor_name(queue), queue_name=queue, priority=priority, broker=broker
        )
        actor(certify_shard)


class ShardQueue:
    """Sends shards to whichever worker is free."""

    def __init__(self, broker: RedisBroker) -> None:
        self._broker = broker

    def send(self, job: Job, shard: int, *, ahead: bool = False) -> None:
        """Queue one shard of ``job``; ``ahead`` among those of small jobs, whatever its size."""
        queue = HIGH if ahead or is_small(job) else LOW
        self._broker.enqueue(
            Message(
                queue_name=queue, actor_name=_actor_name(queue), args=(job.id, shard), kwargs={}, options={}
            )
        )

    def waiting(self) -> set[tuple[str, int]]:
        """Return job and shard of every message that waits for a worker."""
        return {shard for name in QUEUES for shard in self._waiting(f"{self._broker.namespace}:{name}")}

    def _waiting(self, queue: str) -> Iterator[tuple[str, int]]:
        client = self._broker.client
        names = client.lrange(queue, 0, -1)
        # Fetched between the two looks, a message may have no body any more.
        for body in filter(None, client.hmget(f"{queue}.msgs", names) if names else ()):
            job_id, shard = Message.decode(body).args
            yield job_id, shard


def _actor_name(queue: str) -> str:
    return f"certify_shard_{queue}"
