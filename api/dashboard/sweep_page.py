"""One sweep over soups: how far it is, which soups are best, what they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.dashboard.rendering import respond
from api.sweep_summary import summary_of
from certd.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from fastapi import Request, Response

    from api.schemas import JobView
    from api.services import Services
    from certd.jobs.job import Job
    from certd.jobs.sweep import Sweep

MOST_CERTIFICATES = 2_000
"""So many are read again at every look while a sweep runs; the page of a larger one waits for its end."""


def sweep_page(  # noqa: PLR0913, PLR0917 - a job, and what is known of it
    request: Request,
    services: Services,
    job: Job,
    sweep: Sweep,
    view: JobView,
    timeline: Sequence[tuple[str, datetime]],
) -> Response:
    """Show a sweep: progress, the best soups with what they are made of, the figures, then all of them."""
    found, why = _found(services, job, sweep, view)
    return respond(
        request,
        "sweep_page",
        job=view,
        title=sweep_title(view),
        timeline=timeline,
        found=found,
        why=why,
        origin=f"{request.url.scheme}://{request.url.netloc}",
        unseen=max(sweep.question.image_ids) + 1,
        refreshing=not view.status.terminal,
        json_twin=f"/v1/sweeps/{view.id}",
    )


def sweep_title(view: JobView) -> str:
    """Return what a sweep is about."""
    names = view.sweep.ingredients if view.sweep else []
    return f"Soups of {', '.join(names)} on {view.dataset}"


def _found(services: Services, job: Job, sweep: Sweep, view: JobView) -> tuple[dict[str, Any] | None, str]:
    """Return what the report says of the soups that are finished; else nothing, and why."""
    ended = view.status.terminal
    if not ended and job.images_total > MOST_CERTIFICATES:
        return None, "This sweep is large: its soups are ranked at its end, or on demand in its report."
    try:
        found = services.ended_sweeps.shown(job.id) if ended else summary_of(services.storage, job, sweep)
    except Conflict:
        return None, "No soup was finished." if ended else "Soups appear as they are finished."
    return found, ""
