"""Names of everything kept in Redis. All of it can be lost: the job's folder is the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

LIFETIME_SECONDS = 30 * 24 * 3600


def progress(job_id: str) -> str:
    """Hash: shard index to how far it is."""
    return f"certd:job:{job_id}:progress"


def started_at(job_id: str) -> str:
    """Unix time of the job's first attempt."""
    return f"certd:job:{job_id}:started_at"


def sent(job_id: str) -> str:
    """Hash: shard index to the Unix time at which its message was sent."""
    return f"certd:job:{job_id}:sent"


def attempts(job_id: str) -> str:
    """Hash: shard index to the number of attempts begun."""
    return f"certd:job:{job_id}:attempts"


def failures(job_id: str) -> str:
    """Hash: shard index to the last attempt's error."""
    return f"certd:job:{job_id}:failures"


def worker(worker_id: str) -> str:
    """JSON: what one live worker is doing; expires when it stops saying so."""
    return f"certd:worker:{worker_id}"


def of_job(job_id: str) -> tuple[str, ...]:
    """Return every name that belongs to one job."""
    return progress(job_id), started_at(job_id), sent(job_id), attempts(job_id), failures(job_id)


WORKERS = "certd:workers"
"""Set: the ids of workers that said they live, some of whom may not any more."""
RECONCILER = "certd:reconciler"
RELIEF = "certd:relief"
"""There while it is not long ago that shards of large jobs were sent ahead."""


def speed(model: str) -> str:
    """Draws per second that a model was last measured at."""
    return f"certd:speed:{model}"


def uploads(owner: str) -> str:
    """Sorted set: each upload that an owner holds with what it counts as, by when it expires."""
    return f"certd:uploads:{owner}"


def quota(owner: str, day: date) -> str:
    """Noise draws that an owner has asked for in one day of UTC."""
    return f"certd:quota:{owner}:{day.isoformat()}"
