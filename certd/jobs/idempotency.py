"""Idempotency: a request that is sent twice makes one job, whichever process it reaches.

The first to come writes a promise, one file named by the key's digest, that says which job it is about to
make from which request. Whoever comes later finds it there. It lies in storage and not in the queue, so a
flushed queue forgets no job.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING

from certd.errors import Conflict, Gone, KeyReused, NotFound

if TYPE_CHECKING:
    from certd.jobs.storage import JobStorage

IN_FLIGHT_SECONDS = 120.0
"""After so long without its job, a promise was made by a process that died."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One key's claim to one job.

    Attributes:
        name: Digest of owner and key.
        job_id: The job that the key stands for.
        replayed: Whether that job exists already.
    """

    name: str
    job_id: str
    replayed: bool


def promise(storage: JobStorage, owner: str | None, key: str, fingerprint: str, job_id: str) -> Promise:
    """Claim ``job_id`` for a key, or find the job that the key stands for.

    Args:
        storage: Where promises and jobs lie.
        owner: Whose key it is: two owners may use one word.
        key: The header ``Idempotency-Key``.
        fingerprint: Digest of the whole request.
        job_id: A fresh id, taken if the key is new.

    Raises:
        KeyReused: If the key came before with another request.
        Conflict: If the first request with this key is still being read.
    """
    name = hashlib.sha256(json.dumps([owner, key]).encode()).hexdigest()
    ours = {"job_id": job_id, "fingerprint": fingerprint, "made_at": time()}
    found = json.loads(storage.promise(name, json.dumps(ours).encode()))
    if found["job_id"] == job_id:
        return Promise(name, job_id, replayed=False)
    if found["fingerprint"] != fingerprint:
        raise KeyReused(
            "This Idempotency-Key was used for another request. Send the same request again, or a new key.",
            job_id=found["job_id"],
        )
    if _exists(storage, found["job_id"]):
        return Promise(name, found["job_id"], replayed=True)
    if time() - found["made_at"] < IN_FLIGHT_SECONDS:
        raise Conflict(
            "The first request with this Idempotency-Key is still being read; ask again in a moment."
        )
    storage.break_promise(name)
    return promise(storage, owner, key, fingerprint, job_id)


def _exists(storage: JobStorage, job_id: str) -> bool:
    try:
        storage.require(job_id)
    except Gone:
        return True
    except NotFound:
        return False
    return True
