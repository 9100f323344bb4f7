"""One sweep over soups: how far it is, which soups are best, what they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.dashboard.rendering import respond
from certd.errors import Conflict
from certd.jobs.sweep_rendering import report_of_job
from certd.reports.figures.soups import line_figure, selection_table, soup_table
from certd.reports.printed import conditions
from certd.reports.soup_page import heat_of, ternary_of
from certd.reports.soup_report import WINNERS_CURSE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from fastapi import Request, Response

    from api.schemas import JobView
    from api.services import Services
    from certd.jobs.job import Job
    from certd.jobs.sweep import Sweep

MOST_CERTIFICATES = 20_000
"""So many are read again at every look while a sweep runs; the report of a larger one waits for its end."""


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
    if not view.status.terminal and job.images_total > MOST_CERTIFICATES:
        return None, "This sweep is large: its soups are ranked at its end, or on demand in its report."
    try:
        report = report_of_job(services.storage, job, sweep)
    except Conflict:
        ended = view.status.terminal
        return None, "No soup was finished." if ended else "Soups appear as they are finished."
    figure = line_figure(report)
    missing = len(sweep.question.members) - len(report.rows)
    return {
        "conditions": conditions(next(iter(report.rows[0].results.values()))),
        "partial": f"{len(report.rows)} of {len(sweep.question.members)} soups" if missing else "",
        "warning": WINNERS_CURSE,
        "threats": [threat.title for threat in report.threats],
        "heat": heat_of(report, sweep.top_k),
        "figures": () if figure is None else (figure,),
        "ternary": ternary_of(report),
        "table": soup_table(report),
        "selection": selection_table(report),
    }, ""
