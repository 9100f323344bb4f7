"""Renders the report of a sweep, over the soups of which every run is finished."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from certd.errors import NotFound
from certd.reports.figures.forms import render_figure
from certd.reports.figures.soups import line_figure, selection_table, soup_table
from certd.reports.paper import write_table
from certd.reports.soup_page import soup_page
from certd.reports.sweep_report import report_of_sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certd.jobs.job import Job
    from certd.jobs.storage import JobStorage
    from certd.jobs.sweep import Sweep
    from certd.reports.figures import Table
    from certd.reports.figures.forms import FigureForm
    from certd.reports.paper import TableForm
    from certd.reports.soup_report import SoupReport
    from certd.smoothing.run import Run

SOUPS, SELECTION = "soups", "selection"


def report_of_job(storage: JobStorage, job: Job, sweep: Sweep, threats: Sequence[str] = ()) -> SoupReport:
    """Return the report of a sweep job.

    Args:
        storage: Where the job lies.
        job: The job.
        sweep: What it sweeps over.
        threats: Against which soups are ranked; by default those of the job.

    Raises:
        Conflict: If no soup is finished yet.
        InvalidParameter: If a threat asks for a noise level that was not run.
    """
    certified = storage.certified_shards(job.id)
    numbers = {run: number for number, run in enumerate(sweep.question.runs)}

    def read(member: int | str, sigma: float) -> Run | None:
        number = numbers[member, sigma]  # type: ignore[index]  # members are whatever the question says
        shards = storage.run_shards(job.id, number)
        return storage.read_run(job.id, number) if {s.index for s in shards} <= certified else None

    return report_of_sweep(sweep.question, read, threats or sweep.threats)


def sweep_content(report: SoupReport, sweep: Sweep, name: str) -> bytes:
    """Return one form of a sweep's report; see :func:`certd.jobs.rendering.render` for the names.

    Raises:
        NotFound: If the sweep has no such figure or table.
    """
    if name == "report.json":
        return json.dumps(report.as_json(sweep.top_k), indent=2).encode()
    if name == "report.html":
        return soup_page(report, sweep.top_k).encode()
    kind, subject, form = name.split(".")
    if kind == "table":
        first = next(iter(report.rows[0].results.values()))
        return write_table(_table(report, subject), cast("TableForm", form), (first,)).encode()
    figure = line_figure(report)
    if figure is None or subject != figure.name:
        there = "none" if figure is None else figure.name
        raise NotFound(f"This sweep has no figure {subject!r}; there is {there}.")
    return render_figure(figure, cast("FigureForm", form))


def _table(report: SoupReport, subject: str) -> Table:
    tables = {SOUPS: soup_table(report), SELECTION: selection_table(report)}
    if subject not in tables:
        raise NotFound(f"This sweep has no table {subject!r}; there are {', '.join(tables)}.")
    return tables[subject]
