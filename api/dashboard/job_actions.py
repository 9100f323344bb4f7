"""What a reader can do to a job: cancel it, ask it again, delete it; certify what a sweep chose."""

from __future__ import annotations

import hashlib

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from api.auth import Authenticated
from api.dashboard.form import OwnForm, validated
from api.final_submission import FinalSubmission
from api.rerun import rerun_once
from api.routes.jobs import cancel, remove
from api.services import Provided
from certd.jobs.sweep_request import FinalRequest

router = APIRouter(prefix="/jobs/{job_id}", include_in_schema=False)


@router.post("/cancel")
def cancel_job(job_id: str, services: Provided, form: OwnForm) -> Response:  # noqa: ARG001 - read to be admitted
    """Ask a job to stop."""
    cancel(services, job_id)
    return RedirectResponse(f"/jobs/{job_id}", 303)


@router.post("/rerun")
def rerun_job(job_id: str, services: Provided, caller: Authenticated, form: OwnForm) -> Response:
    """Ask a job's question again, with fresh noise."""
    stored = rerun_once(services, caller, job_id, form.fields.get("once"))
    return RedirectResponse(f"/jobs/{stored.job.id}", 303)


@router.post("/certify")
def certify_chosen_soup(job_id: str, services: Provided, caller: Authenticated, form: OwnForm) -> Response:
    """Certify the soup that a sweep chose, on the images that the form names."""
    asked = validated(FinalRequest, dict(form.fields))
    # A repetition is no second opinion: the same question finds its job.
    key = f"form-{hashlib.sha256(f'{job_id} {asked.model_dump_json()}'.encode()).hexdigest()}"
    stored = FinalSubmission(asked, job_id, services, caller, key).store()
    return RedirectResponse(f"/jobs/{stored.job.id}", 303)


@router.post("/delete")
def delete_job(job_id: str, services: Provided, form: OwnForm) -> Response:  # noqa: ARG001 - read to be admitted
    """Delete an ended job with all that it holds."""
    remove(services, job_id)
    return RedirectResponse("/jobs", 303)
