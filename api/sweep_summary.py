"""What the page of a sweep shows, remembered once the sweep has ended."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from api.sweep_views import sweep_of
from certd.jobs.sweep_rendering import report_of_job
from certd.reports.figures.soups import line_figure, selection_table, soup_table
from certd.reports.soup_page import heat_of, ternary_of
from certd.reports.soup_report import WINNERS_CURSE

if TYPE_CHECKING:
    from certd.jobs.job import Job
    from certd.jobs.storage import JobStorage
    from certd.jobs.sweep import Sweep

REMEMBERED = 32


class EndedSweeps:
    """What the pages of ended sweeps show: a large one takes seconds to read, and never changes.

    Args:
        storage: Where the jobs lie.
    """

    def __init__(self, storage: JobStorage) -> None:
        self._storage = storage
        self.shown = lru_cache(REMEMBERED)(self._read)

    def _read(self, job_id: str) -> dict[str, Any]:
        job = self._storage.read(job_id)
        return summary_of(self._storage, job, sweep_of(job))


def summary_of(storage: JobStorage, job: Job, sweep: Sweep) -> dict[str, Any]:
    """Return what the report says of the soups that are finished, in its own words and figures.

    Raises:
        Conflict: If none is.
    """
    report = report_of_job(storage, job, sweep)
    figure = line_figure(report)
    missing = len(sweep.question.members) - len(report.rows)
    return {
        "conditions": report.conditions,
        "partial": f"{len(report.rows)} of {len(sweep.question.members)} soups" if missing else "",
        "warning": WINNERS_CURSE,
        "threats": [threat.title for threat in report.threats],
        "heat": heat_of(report, sweep.top_k),
        "figures": () if figure is None else (figure,),
        "ternary": ternary_of(report),
        "table": soup_table(report),
        "selection": selection_table(report),
    }
