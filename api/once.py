"""Once: a request that is sent twice under one key makes one job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certd.jobs.idempotency import promise, withdraw
from certd.jobs.job import new_job_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.services import Services
    from certd.access import Caller
    from certd.jobs.job import Job


@dataclass(frozen=True, slots=True)
class Stored:
    """A job that was submitted, and whether an earlier request did that."""

    job: Job
    replayed: bool

    @property
    def headers(self) -> dict[str, str]:
        """Return what the answer says of it."""
        return {"Idempotency-Replayed": "true"} if self.replayed else {}


def stored_once(
    services: Services,
    caller: Caller,
    key: str | None,
    fingerprint: Callable[[], str],
    create: Callable[[str], Job],
) -> Stored:
    """Make a job, or find the one that this key made before.

    Args:
        services: Where jobs lie.
        caller: Whose key it is.
        key: The header ``Idempotency-Key``, if it was sent.
        fingerprint: Returns the digest of all that was sent.
        create: Makes the job of an id.

    Raises:
        KeyReused: If the key came before with another request.
        Conflict: If the first request with this key is still being read, or this one was so slow that another
            took its place.
    """
    job_id = new_job_id()
    if key is None:
        return Stored(create(job_id), replayed=False)
    promised = promise(services.storage, caller.owner, key, fingerprint(), job_id)
    if promised.replayed:
        return Stored(services.storage.read(promised.job_id), replayed=True)
    try:
        return Stored(create(job_id), replayed=False)
    except BaseException:
        withdraw(services.storage, promised)
        raise
