"""Turns a stored job into what a reader sees."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from api.ended_jobs import is_wanted
from api.schemas import JobPage, JobView, Progress
from api.sweep_views import sweep_view
from certd.errors import Gone, NotFound
from certd.jobs.job import JobStatus
from certd.jobs.progress import JobProgress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from api.once import Stored
    from api.services import Services
    from certd.jobs.job import Job, JobOutcome


def job_view(services: Services, job: Job) -> JobView:
    """Return a job with its state, progress and links."""
    outcome = services.storage.read_outcome(job.id)
    if outcome is not None:
        return _view(
            services, job, outcome.status, JobProgress.ended(job.images_total, outcome.spent), outcome
        )
    progress = services.board.job(job.id, job.images_total, job.certification.procedure.max_draws)
    return _view(services, job, unfinished_status(services, job), progress)


def stored_view(services: Services, stored: Stored) -> JobView:
    """Return a job that a request made or found; one just made nobody has begun while the queue is away."""
    job = stored.job
    try:
        return job_view(services, job)
    except RedisError:
        if stored.replayed:
            raise
        return _view(services, job, JobStatus.QUEUED, JobProgress.none(job.images_total, job.max_draws))


def _view(
    services: Services, job: Job, status: JobStatus, progress: JobProgress, outcome: JobOutcome | None = None
) -> JobView:
    return JobView(
        id=job.id,
        status=status,
        created_at=job.created_at,
        finished_at=outcome.finished_at if outcome else None,
        certification=job.certification.model_dump(mode="json"),
        dataset=job.inputs.dataset,
        labelled=job.inputs.labelled,
        tags=list(job.tags),
        max_radius=job.max_radius,
        sweep=None if job.sweep is None else sweep_view(services, job, job.sweep),
        progress=Progress(**asdict(progress)),
        error=outcome.error if outcome else None,
        links=job_links(job),
    )


def page_of_jobs(
    services: Services, job_ids: Sequence[str], page_size: int, wanted: Mapping[str, Any]
) -> JobPage:
    """Return the first jobs of ``job_ids`` that are wanted, and where to go on.

    Args:
        services: Where to read.
        job_ids: Newest first.
        page_size: Most jobs on the page.
        wanted: Conditions by name: status, model, dataset, tag, created_after.
    """
    page: list[JobView] = []
    for place, job_id in enumerate(job_ids):
        if services.ended.rules_out(job_id, wanted):
            continue
        try:
            job = services.storage.read(job_id)
            view = job_view(services, job)
        except (Gone, NotFound):
            continue
        services.ended.remember(view)
        if is_wanted(view, wanted):
            page.append(view)
        if len(page) == page_size and place + 1 < len(job_ids):
            return JobPage(jobs=page, next_page_token=job_id)
    return JobPage(jobs=page, next_page_token=None)


def job_links(job: Job) -> dict[str, str]:
    """Return where everything about a job is found."""
    base = f"/v1/jobs/{job.id}"
    return {
        **({} if job.sweep is None else {"sweep": f"/v1/sweeps/{job.id}"}),
        "self": base,
        "certificates": f"{base}/certificates",
        "report": f"{base}/report",
        "page": f"{base}/report.html",
        "manifest": f"{base}/manifest",
        "events": f"{base}/events",
        "cancel": f"{base}/cancel",
    }


def unfinished_status(services: Services, job: Job) -> JobStatus:
    """Return the state of a job that has not ended."""
    if services.storage.asked_to_cancel(job.id):
        return JobStatus.CANCELING
    begun = services.board.started_at(job.id) is not None
    return JobStatus.RUNNING if begun else JobStatus.QUEUED
