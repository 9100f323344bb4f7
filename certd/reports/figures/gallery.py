"""All figures of one run, in the order in which they should be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.reports.figures.average import budget_figure, lorenz_figure, sensitivity_figure
from certd.reports.figures.classes import class_figure
from certd.reports.figures.confidence import confidence_figures
from certd.reports.figures.distribution import pa_cumulative, pa_histogram, probit_share_curve, share_curve
from certd.reports.figures.radius import accuracy_curve, radius_histogram

if TYPE_CHECKING:
    from certd.reports.figures.figure import Figure
    from certd.reports.results import Results


def gallery(results: Results) -> tuple[Figure, ...]:
    """Return the figures of a run, the pA distribution first; what needs labels is left out without them."""
    figures = [pa_histogram(results), pa_cumulative(results)]
    if results.labels is not None:
        figures += [share_curve(results), probit_share_curve(results), accuracy_curve(results)]
    figures.append(radius_histogram(results))
    if results.labels is not None:
        found = (
            budget_figure(results),
            sensitivity_figure(results),
            lorenz_figure(results),
            class_figure(results),
        )
        figures += [figure for figure in found if figure is not None]
        figures += confidence_figures(results)
    return tuple(figures)
