"""Who works, and what waits."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.auth import Authenticated
from api.dashboard.rendering import respond
from api.routes.workers import workers_view
from api.services import Provided

router = APIRouter(include_in_schema=False)


@router.get("/workers")
def worker_page(request: Request, services: Provided, caller: Authenticated) -> Response:
    """Show the live workers and the queues."""
    found = workers_view(services, caller)
    return respond(
        request,
        "worker_page",
        workers=found.workers,
        queues=found.queues,
        refreshing=True,
        json_twin="/v1/workers",
    )
