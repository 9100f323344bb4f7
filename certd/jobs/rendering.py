"""Renders a job's reports when they are asked for, and keeps them once the job has ended."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, cast

from certd.errors import Conflict, NotFound
from certd.jobs.job import JobStatus
from certd.jobs.sweep_rendering import report_of_job, sweep_content
from certd.reports import results_of
from certd.reports.figures import gallery
from certd.reports.figures.forms import render_figure
from certd.reports.page import page_of_run
from certd.reports.paper import find_table, write_table
from certd.reports.summary import summarize

if TYPE_CHECKING:
    from certd.jobs.storage import JobStorage
    from certd.reports.figures.forms import FigureForm
    from certd.reports.paper import TableForm
    from certd.smoothing.run import Run

REPORT = "report.json"
PAGE = "report.html"
# No other name becomes the name of a file.
_NAME = re.compile(
    r"report\.(json|html)|figure\.[a-z-]{1,40}\.(svg|png|pdf|json)|table\.[a-z-]{1,40}\.(md|tex|csv)"
)


def render(storage: JobStorage, job_id: str, name: str) -> bytes:
    """Return a job's report in one form, over the images finished so far.

    Args:
        storage: Where the job lies.
        job_id: The job.
        name: ``report.json``, ``report.html``, ``figure.NAME.FORM`` or ``table.NAME.FORM``.

    Raises:
        NotFound: If there is no such job, or its run has no such form, figure or table.
        Conflict: If no image is finished yet.
        Unavailable: If a figure is asked for in a form that needs matplotlib, and that is not installed.
    """
    if not _NAME.fullmatch(name):
        raise NotFound(f"There is no report {name!r}.")
    # Asked first: what is finished after it must not be missing from a report that is kept.
    settled = _settled(storage, job_id)
    stored = storage.read_report(job_id, name) if settled else None
    if stored is not None:
        return stored
    content = _rendered(storage, job_id, name)
    if settled:
        storage.write_report(job_id, name, content)
    return content


def _settled(storage: JobStorage, job_id: str) -> bool:
    """Return whether a job has ended, and has no more images finished than at its end.

    A worker that was at a shard when the job failed may store it a moment later.
    """
    outcome = storage.read_outcome(job_id)
    if outcome is None or outcome.status is JobStatus.SUCCEEDED:
        return outcome is not None
    job, finished = storage.read(job_id), storage.finished_shards(job_id)
    images = sum(len(shard) for shard in job.shards if shard.index in finished)
    return images == outcome.spent.images_done


def _rendered(storage: JobStorage, job_id: str, name: str) -> bytes:
    job = storage.read(job_id)
    if job.sweep is not None:
        return sweep_content(report_of_job(storage, job, job.sweep), job.sweep, name)
    run = storage.read_run(job_id)
    if run is None:
        raise Conflict(f"No image of {job_id} is finished yet; ask again when its progress says so.")
    return _content(run, name)


def _report(run: Run) -> bytes:
    return json.dumps(summarize(run), indent=2).encode()


def _page(run: Run) -> bytes:
    return page_of_run(run).encode()


def _content(run: Run, name: str) -> bytes:
    if name == REPORT:
        return _report(run)
    if name == PAGE:
        return _page(run)
    kind, subject, form = name.split(".")
    results = results_of(run)
    if kind == "table":
        return write_table(find_table(results, subject), cast("TableForm", form), (results,)).encode()
    figures = {figure.name: figure for figure in gallery(results)}
    if subject not in figures:
        raise NotFound(f"This run has no figure {subject!r}; there are {', '.join(figures)}.")
    return render_figure(figures[subject], cast("FigureForm", form))
