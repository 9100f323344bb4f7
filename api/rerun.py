"""A job's question, asked again: once, however often the request is sent."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from api.admission import rerun
from api.once import Stored, stored_once

if TYPE_CHECKING:
    from api.services import Services
    from certd.access import Caller


def rerun_once(services: Services, caller: Caller, job_id: str, key: str | None) -> Stored:
    """Ask a job's question again with fresh noise; a key that came before finds the job it made.

    Raises:
        KeyReused: If the key came before with another request.
        Conflict: If the first request with this key is still being read.
        NotFound: If the model of that digest is no longer registered.
    """
    return stored_once(
        services,
        caller,
        key,
        lambda: hashlib.sha256(f"rerun {job_id}".encode()).hexdigest(),
        lambda again_id: rerun(services, caller, job_id, again_id),
    )
