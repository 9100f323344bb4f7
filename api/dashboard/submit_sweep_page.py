"""A sweep over soups from a form: of which models, on which images, how finely."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from api.auth import Authenticated
from api.dashboard.form import OwnForm, listed, validated
from api.dashboard.form_page import form_page
from api.services import Provided, Services
from api.sweep_submission import SweepSubmission
from certd.errors import CertdError
from certd.jobs.sweep_request import SweepRequest

if TYPE_CHECKING:
    from api.schemas import SweepEstimateView

router = APIRouter(prefix="/submit/sweep", include_in_schema=False)

INGREDIENTS = tuple(f"ingredient_{number}" for number in range(1, 6))
BEGINNING = {"units": "5", "limit": "100", "sigmas": "0.25", "radius": "0.25"}
OF_THE_FORM = {*INGREDIENTS, "calibrate", "calibrate_stop"}


@router.get("")
def submit_sweep_page(request: Request, services: Provided) -> Response:
    """Show the form."""
    return _page(request, services, BEGINNING)


@router.post("")
async def submit_sweep(
    request: Request, services: Provided, caller: Authenticated, form: OwnForm
) -> Response:
    """Store the sweep and show it; or say what it would cost; or say what is wrong, and lose nothing."""
    fields = {**form.fields}
    action, key = fields.pop("action", "submit"), fields.pop("once", None)
    try:
        submission = SweepSubmission(validated(SweepRequest, _options(fields)), services, caller, key)
        if action == "estimate":
            found = await run_in_threadpool(submission.estimate)
            return await run_in_threadpool(_page, request, services, fields, estimate=found)
        stored = await run_in_threadpool(submission.store)
    except CertdError as error:
        return await run_in_threadpool(_page, request, services, fields, refusal=error)
    return RedirectResponse(f"/jobs/{stored.job.id}", 303)


def _page(
    request: Request,
    services: Services,
    fields: dict[str, str],
    estimate: SweepEstimateView | None = None,
    refusal: CertdError | None = None,
) -> Response:
    own = {"ingredients": INGREDIENTS}
    return form_page(
        request, services, "submit_sweep_page", fields, estimate=estimate, refusal=refusal, **own
    )


def _options(fields: dict[str, str]) -> dict[str, Any]:
    """Return what the form says under the names of a request; empty fields are left to it."""
    options: dict[str, Any] = {name: text for name, text in fields.items() if name not in OF_THE_FORM}
    options["ingredients"] = [fields[name] for name in INGREDIENTS if name in fields]
    options["sigmas"] = listed(fields, "sigmas", float)
    options["tags"] = listed(fields, "tags", str)
    if "calibrate" in fields:
        images = {"stop": fields["calibrate_stop"]} if "calibrate_stop" in fields else {}
        options["calibrate"] = {"dataset": fields["calibrate"], **images}
    return options
