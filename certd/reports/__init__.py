"""Reports: small pure functions on counts, and the forms in which their numbers are read."""

from certd.reports.accuracy import certified_accuracy
from certd.reports.pa_distribution import quantiles
from certd.reports.radius import average_certified_radius
from certd.reports.results import Results, results_of
from certd.reports.summary import summarize

__all__ = [
    "Results",
    "average_certified_radius",
    "certified_accuracy",
    "quantiles",
    "results_of",
    "summarize",
]
