"""Liveness and readiness."""

from __future__ import annotations

from fastapi import APIRouter

from api.schemas import Health
from api.services import Provided
from certd.errors import Unavailable
from certd.jobs.workforce import Workforce

router = APIRouter(tags=["operations"])


@router.get("/livez")
def live() -> Health:
    """Answer while the process can; looks at nothing else."""
    return Health(status="ok")


@router.get("/readyz")
def ready(services: Provided) -> Health:
    """Answer 200 when jobs can be queued and some worker lives, else 503."""
    services.redis.ping()
    num_workers = Workforce(services.redis).size()
    if not num_workers:
        raise Unavailable("The queue answers, but no worker is alive yet. Start one with python -m workers.")
    return Health(status="ok", detail=f"{num_workers} worker(s)")
