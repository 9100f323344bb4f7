"""One job: what it asks, how far it is, what it has proved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, field_validator

from api.certificate_filter import CertificateFilter
from api.dashboard.rendering import respond
from api.dashboard.sweep_page import sweep_page, sweep_title
from api.services import Provided, Services
from api.views import job_view
from certd.reports.guarantees import about_each_image
from certd.reports.headline import accuracies, average_with_defects, runs_table
from certd.reports.methods import methods_sentence
from certd.reports.page import sections_of
from certd.reports.paper import write_table
from certd.reports.printed import conditions, images_of
from certd.reports.summary import warnings_of

if TYPE_CHECKING:
    from api.schemas import JobView
    from certd.jobs.finished import FinishedImages
    from certd.reports.results import Results

router = APIRouter(include_in_schema=False)

ROWS = 50


class RowsWanted(CertificateFilter):
    """Which images the table shows; an empty field of the form is no condition."""

    page: int = Field(default=1, ge=1, le=1_000_000)

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_absent(cls, value: Any, info: Any) -> Any:
        return cls.model_fields[info.field_name].default if value == "" else value


@router.get("/jobs/{job_id}")
def job_page(
    job_id: str, request: Request, services: Provided, wanted: Annotated[RowsWanted, Query()]
) -> Response:
    """Show a job: progress, the pA distribution first, then the rest, then every image."""
    job = services.storage.read(job_id)
    view = job_view(services, job)
    if job.sweep is not None:
        return sweep_page(request, services, job, job.sweep, view, _timeline(services, view))
    images = services.finished.read(job_id)
    return respond(
        request,
        "job_page",
        job=view,
        mixing=job.certification.mixing,
        marks=job.marks,
        sweepable=job.certification.smooths_then_mixes and job.inputs.labelled,
        title=title_of(view),
        timeline=_timeline(services, view),
        proved=_proved(images.results) if len(images) else None,
        rows=_rows(images, wanted),
        wanted=wanted,
        query=_query(wanted),
        refreshing=not view.status.terminal,
        json_twin=view.links["self"],
    )


def title_of(view: JobView) -> str:
    """Return what a job is about."""
    if view.sweep is not None:
        return sweep_title(view)
    model = view.certification["model"].partition("@")[0]
    return f"{model} on {view.dataset or 'uploaded images'}"


def _timeline(services: Services, view: JobView) -> list[tuple[str, datetime]]:
    steps = [("submitted", view.created_at)]
    outcome = services.storage.read_outcome(view.id)
    if outcome is None:
        began = services.board.started_at(view.id)
        return steps if began is None else [*steps, ("started", datetime.fromtimestamp(began, UTC))]
    if outcome.spent.seconds is not None:
        steps.append(("started", outcome.finished_at - timedelta(seconds=outcome.spent.seconds)))
    return [*steps, (str(outcome.status), outcome.finished_at)]


def _proved(results: Results) -> dict[str, Any]:
    """Return what the report says of the images finished so far, in the report's own words and figures."""
    labelled = results.labels is not None
    return {
        "conditions": conditions(results),
        "partial": "" if results.complete else images_of(results),
        "methods": methods_sentence(results),
        "promise": about_each_image(results).sentence,
        "warnings": warnings_of(results),
        "headline": (accuracies(results), average_with_defects(results)) if labelled else (),
        "sections": sections_of(results)[:2],
        "latex": write_table(runs_table((results,)), "tex", (results,)) if labelled else None,
    }


def _rows(images: FinishedImages, wanted: RowsWanted) -> dict[str, Any]:
    chosen = [one for _, one in images.placed if wanted.wants(one)]
    pages = max(1, -(-len(chosen) // ROWS))
    page = min(wanted.page, pages)
    shown = chosen[(page - 1) * ROWS : page * ROWS]
    return {
        "certificates": [one.row() for one in shown],
        "page": page,
        "pages": pages,
        "chosen": len(chosen),
        "finished": len(images),
        "first": (page - 1) * ROWS + 1,
    }


def _query(wanted: RowsWanted) -> dict[str, Any]:
    """Return the conditions as a link reproduces them, the page left out."""
    return wanted.model_dump(mode="json", exclude_defaults=True, exclude={"page"})
