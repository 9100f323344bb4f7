"""Turns a stored job into what a reader sees."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from api.schemas import JobView, Progress
from certd.jobs.job import JobStatus

if TYPE_CHECKING:
    from api.services import Services
    from certd.jobs.job import Job


def job_view(services: Services, job: Job) -> JobView:
    """Return a job with its state, progress and links."""
    outcome = services.storage.read_outcome(job.id)
    certification = job.certification
    progress = services.board.job(job.id, job.inputs.num_images, certification.procedure.max_draws)
    status = outcome.status if outcome else _status(services, job)
    return JobView(
        id=job.id,
        status=status,
        created_at=job.created_at,
        finished_at=outcome.finished_at if outcome else None,
        certification=certification.model_dump(mode="json"),
        dataset=job.inputs.dataset,
        labelled=job.inputs.labelled,
        max_radius=job.max_radius,
        progress=Progress(**asdict(progress)),
        error=outcome.error if outcome else None,
        links=job_links(job.id),
    )


def job_links(job_id: str) -> dict[str, str]:
    """Return where everything about a job is found."""
    base = f"/v1/jobs/{job_id}"
    return {
        "self": base,
        "certificates": f"{base}/certificates",
        "report": f"{base}/report",
        "page": f"{base}/report.html",
    }


def _status(services: Services, job: Job) -> JobStatus:
    begun = services.board.started_at(job.id) is not None
    return JobStatus.RUNNING if begun else JobStatus.QUEUED
