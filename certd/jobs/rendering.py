"""Renders a job's reports when they are asked for, and keeps them once the job has ended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from certd.errors import Conflict
from certd.reports.page import page_of_run
from certd.reports.summary import summarize

if TYPE_CHECKING:
    from collections.abc import Callable

    from certd.jobs.storage import JobStorage
    from certd.smoothing.run import Run

REPORT = "report.json"
PAGE = "report.html"


def render(storage: JobStorage, job_id: str, name: str) -> bytes:
    """Return a job's report in one form, over the images finished so far.

    Args:
        storage: Where the job lies.
        job_id: The job.
        name: ``report.json`` or ``report.html``.

    Raises:
        NotFound: If there is no such job.
        Conflict: If no image is finished yet.
    """
    stored = storage.read_report(job_id, name)
    if stored is not None:
        return stored
    # The outcome is read first: what is finished after it must not be missing from a report that is kept.
    ended = storage.read_outcome(job_id) is not None
    run = storage.read_run(job_id)
    if run is None:
        raise Conflict(f"No image of {job_id} is finished yet; ask again when its progress says so.")
    content = _FORMS[name](run)
    if ended:
        storage.write_report(job_id, name, content)
    return content


def _report(run: Run) -> bytes:
    return json.dumps(summarize(run), indent=2).encode()


def _page(run: Run) -> bytes:
    return page_of_run(run).encode()


_FORMS: dict[str, Callable[[Run], bytes]] = {REPORT: _report, PAGE: _page}
