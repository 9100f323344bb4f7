"""A job from a form: a few images to try, or a registered data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from api.auth import Authenticated
from api.dashboard.form import OwnForm, listed, validated
from api.dashboard.form_page import form_page
from api.routes.estimates import estimate_job
from api.services import Provided, Services
from api.submission import Submission
from certd.errors import CertdError
from certd.jobs.request import EstimateRequest, JobRequest
from certd.smoothing.request import PlanKind

if TYPE_CHECKING:
    from api.dashboard.form import Form
    from api.schemas import EstimateView

router = APIRouter(include_in_schema=False)

BEGINNING = {"sigma": "0.25", "limit": "20"}
OF_THE_JOB = {"dataset", "limit", "labels", "tags"}
PLANS: dict[PlanKind, str] = {
    "fixed": "fixed: n draws for every image, the published procedure",
    "radii": "radii: stop as soon as each radius of a list is decided; needs labels",
    "precision": "precision: stop as soon as more draws would add little",
    "predict": "predict: the class alone, or an abstention; no radius",
}


@router.get("/submit")
def submit_page(request: Request, services: Provided, model: str = "", dataset: str = "") -> Response:
    """Show the form, filled in as the link says."""
    return _page(request, services, {**BEGINNING, "model": model, "dataset": dataset})


@router.post("/submit")
async def submit(request: Request, services: Provided, caller: Authenticated, form: OwnForm) -> Response:
    """Store the job and show it; or say what it would cost; or say what is wrong, and lose nothing."""
    fields = {**form.fields}
    action, key = fields.pop("action", "submit"), fields.pop("once", None)
    try:
        if action == "estimate":
            found = await run_in_threadpool(_estimate, services, fields, form)
            return await run_in_threadpool(_page, request, services, fields, estimate=found)
        options = validated(JobRequest, _options(fields))
        submission = Submission(options, form.files, services, caller, key)
        stored = await run_in_threadpool(submission.store)
    except CertdError as error:
        return await run_in_threadpool(_page, request, services, fields, refusal=error)
    return RedirectResponse(f"/jobs/{stored.job.id}", 303)


def _page(
    request: Request,
    services: Services,
    fields: dict[str, str],
    estimate: EstimateView | None = None,
    refusal: CertdError | None = None,
) -> Response:
    own = {"plans": PLANS, "most_images": services.settings.max_images}
    return form_page(request, services, "submit_page", fields, estimate=estimate, refusal=refusal, **own)


def _estimate(services: Services, fields: dict[str, str], form: Form) -> EstimateView:
    options = {name: value for name, value in _options(fields).items() if name not in OF_THE_JOB}
    images = len(form.files) or _options(fields).get("limit") or 1
    labelled = "dataset" in fields or "labels" in fields
    asked = {**options, "num_images": images, "labelled": labelled}
    return estimate_job(validated(EstimateRequest, asked), services)


def _options(fields: dict[str, str]) -> dict[str, Any]:
    """Return what the form says under the names and types of a request; empty fields are left to it."""
    options: dict[str, Any] = dict(fields)
    for name, kind in (("labels", int), ("radii", float), ("tags", str)):
        if name in fields:
            options[name] = listed(fields, name, kind)
    if "dataset" not in options:
        options.pop("limit", None)
    return options
