"""The live workers, and what waits for them."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter

from api.auth import Authenticated, sees
from api.schemas import QueueView, WorkersView, WorkerView
from api.services import Provided, Services
from certd.access import Caller
from certd.jobs.backlog import read_backlog
from certd.jobs.workforce import WorkerState, Workforce

router = APIRouter(prefix="/v1/workers", tags=["operations"])


@router.get("")
def list_workers(services: Provided, caller: Authenticated) -> WorkersView:
    """List the workers that live. What one has in hand is told to those who see that job."""
    return workers_view(services, caller)


def workers_view(services: Services, caller: Caller) -> WorkersView:
    """Return the workforce and the queues as ``caller`` may see them."""
    backlog = read_backlog(services.redis)
    return WorkersView(
        workers=[_worker(services, caller, state) for state in Workforce(services.redis).workers()],
        queues=[
            QueueView(name=name, waiting=queue.depth, oldest_age_seconds=queue.oldest_age_seconds)
            for name, queue in backlog.items()
        ],
    )


def _worker(services: Services, caller: Caller, state: WorkerState) -> WorkerView:
    visible = state.job_id is not None and sees(services, caller, state.job_id)
    return WorkerView(
        id=state.worker_id,
        device=state.device,
        version=state.version,
        started_at=datetime.fromtimestamp(state.started_at, UTC),
        seen_at=datetime.fromtimestamp(state.seen_at, UTC),
        busy=state.job_id is not None,
        job_id=state.job_id if visible else None,
        shard=state.shard if visible else None,
    )
