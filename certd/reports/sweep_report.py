"""The report of a sweep's runs, wherever they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.reports.soup_report import Threat, soup_report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from certd.reports.soup_report import SoupReport
    from certd.smoothing.run import Run
    from certd.smoothing.soup_question import SoupSweep


def report_of_sweep(
    sweep: SoupSweep, read: Callable[[int | str, float], Run | None], threats: Sequence[str] = ()
) -> SoupReport:
    """Return the report of the members of which every run is finished.

    Args:
        sweep: The question.
        read: Returns a member's run under a noise level, whole; None if it is not there.
        threats: Against which soups are ranked, such as ``l2:0.5@0.25``.

    Raises:
        Conflict: If no member is finished.
        InvalidParameter: If a threat asks for a noise level that was not run.
    """
    rows = []
    for member in sweep.members:
        runs = {sigma: run for sigma in sweep.sigmas if (run := read(member, sigma)) is not None}
        if len(runs) == len(sweep.sigmas):
            weights = None if isinstance(member, str) else sweep.grid[member]
            rows.append((sweep.name(member), weights, runs))
    chosen = [Threat.parse(text) for text in threats]
    return soup_report(rows, sweep.units, sweep.ingredients, chosen)
