"""Idempotency: a request that is sent twice makes one job, whichever process it reaches.

The first to come writes a promise, one file named by the key's digest, that says which job it is about to
make from which request. Whoever comes later finds it there. It lies in storage and not in the queue, so a
flushed queue forgets no job.

A promise that its process did not live to keep is followed by another one, named by the job that was never
made. Nothing is written over and nothing of another's removed, so of those who come at once one follows; and
a process that was only slow finds, before its job is there, that it was followed.
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
        name: Under which it lies.
        job_id: The job that the key stands for.
        made_at: Its Unix time.
        replayed: Whether that job exists already.
    """

    name: str
    job_id: str
    made_at: float
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
    ours = json.dumps({"job_id": job_id, "fingerprint": fingerprint, "made_at": time()}).encode()
    followed: str | None = None
    while True:
        found = json.loads(storage.promise(name, ours))
        first, made_at = str(found["job_id"]), float(found["made_at"])
        if first == job_id:
            if followed is not None and _exists(storage, followed):
                raise Conflict("The first request with this Idempotency-Key ended just now; ask again.")
            return Promise(name, job_id, made_at, replayed=False)
        if found["fingerprint"] != fingerprint:
            raise KeyReused(
                "This Idempotency-Key was used for another request. Send the same request again, or a new "
                "key.",
                job_id=first,
            )
        if _exists(storage, first):
            return Promise(name, first, made_at, replayed=True)
        if time() - made_at < IN_FLIGHT_SECONDS:
            raise Conflict(
                "The first request with this Idempotency-Key is still being read; ask again in a moment."
            )
        name = followed = first


def withdraw(storage: JobStorage, made: Promise) -> None:
    """Set a key free whose request failed, unless its job is there.

    One that failed late keeps its promise: another may be about to follow it. Half the time is left for
    clocks that differ.
    """
    if time() - made.made_at < IN_FLIGHT_SECONDS / 2 and not _exists(storage, made.job_id):
        storage.break_promise(made.name)


def _exists(storage: JobStorage, job_id: str) -> bool:
    try:
        storage.require(job_id)
    except Gone:
        return True
    except NotFound:
        return False
    return True
