"""Whose each job is."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from certd.access.caller import Caller
    from certd.jobs.storage import JobStorage

REMEMBERED = 100_000


class JobOwners:
    """Answers whether a caller sees a job. A job's owner never changes, so it is read once.

    Args:
        storage: Where all jobs lie.
    """

    def __init__(self, storage: JobStorage) -> None:
        self._owner = lru_cache(REMEMBERED)(storage.owner_of)

    def sees(self, caller: Caller, job_id: str) -> bool:
        """Return whether ``job_id`` exists for ``caller``.

        Raises:
            NotFound: If it exists for nobody; to be answered like an invisible one.
        """
        return caller.sees_all or caller.may_see(self._owner(job_id))
