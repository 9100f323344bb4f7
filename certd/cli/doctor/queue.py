"""Looks at the queue's server and at the workers behind it."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from certd._version import __version__
from certd.access.redaction import without_password
from certd.cli.doctor.finding import broken, doubtful, fine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from certd.cli.doctor.finding import Finding
    from certd.settings import Settings

PART = "queue"
OLDEST_VERSION = (6, 2)
SLOW_SECONDS = 0.05


def look_at_queue(settings: Settings) -> Iterator[Finding]:
    """Ask the server how it is; where there is none, nothing behind it can be asked either."""
    url = settings.redis_url or _embedded_url(settings)
    if url is None:
        yield doubtful(
            PART,
            "no CERTD_REDIS_URL, and no embedded server runs in the data folder",
            "Start one with `python -m api --embedded`, or set CERTD_REDIS_URL.",
        )
        return
    try:
        from redis import Redis
        from redis.exceptions import RedisError
    except ImportError:
        yield doubtful(PART, "the package redis is not installed", "pip install 'certd[api]' on a server.")
        return
    try:
        with Redis.from_url(url, decode_responses=True, socket_timeout=5, socket_connect_timeout=5) as redis:
            yield from _look_at_server(redis, without_password(url))
            yield from _look_at_workers(redis)
    except (RedisError, ValueError) as error:
        yield broken(PART, f"{without_password(url)} does not answer: {error}", "Start it, or mend the URL.")


def _embedded_url(settings: Settings) -> str | None:
    socket = settings.data_dir.resolve() / "valkey.sock"
    return f"unix://{socket}?db=0" if socket.is_socket() else None


def _look_at_server(redis: Redis, name: str) -> Iterator[Finding]:
    began = time.perf_counter()
    redis.ping()
    seconds = time.perf_counter() - began
    found: dict[str, Any] = redis.info()
    product = "Valkey" if "valkey_version" in found else "Redis"
    version = str(found.get("valkey_version") or found["redis_version"])
    yield fine(PART, f"{name} answers in {1000 * seconds:.1f} ms: {product} {version}")
    if seconds > SLOW_SECONDS:
        yield doubtful(PART, "it is slow to answer", "Bring it nearer; workers ask it between shards.")
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_VERSION:
        yield broken(PART, f"{product} {version} is too old", "Use Redis 6.2 or newer, or any Valkey.")
    yield _persistence(found)
    yield _eviction(found)


def _persistence(found: dict[str, Any]) -> Finding:
    if found.get("aof_enabled"):
        return fine("append-only", "on: the queue survives a restart of its server")
    return doubtful(
        "append-only",
        "off: a restart of the server empties the queue",
        "Set `appendonly yes`. Jobs survive without it, and are sent again by the reconciler.",
    )


def _eviction(found: dict[str, Any]) -> Finding:
    policy = str(found.get("maxmemory_policy", "unknown"))
    if policy == "noeviction":
        return fine("eviction", "noeviction: no message is dropped when memory runs short")
    advice = "Set `maxmemory-policy noeviction`; elsewhere messages and quotas are dropped silently."
    return (broken if found.get("maxmemory") else doubtful)("eviction", policy, advice)


def _look_at_workers(redis: Redis) -> Iterator[Finding]:
    from certd.jobs.backlog import read_backlog
    from certd.jobs.workforce import Workforce

    now = time.time()
    workers = Workforce(redis).workers()
    waiting = sum(backlog.depth for backlog in read_backlog(redis).values())
    if not workers:
        yield broken("workers", f"none lives; {waiting} messages wait", "Start one with `python -m workers`.")
        return
    devices = Counter(worker.device for worker in workers)
    described = ", ".join(f"{count} on {device}" for device, count in sorted(devices.items()))
    oldest = max(now - worker.seen_at for worker in workers)
    yield fine("workers", f"{described}; oldest heartbeat {oldest:.1f} s ago; {waiting} messages wait")
    others = sorted({worker.version or "unknown" for worker in workers} - {__version__})
    if others:
        yield doubtful(
            "versions",
            f"here {__version__}, some workers {', '.join(others)}",
            "Restart the workers as well.",
        )
