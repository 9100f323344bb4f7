"""How sure a run's classifiers are, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from certd.reports.figures.figure import Table
from certd.reports.printed import floored

if TYPE_CHECKING:
    from certd.reports.confidence import ConfidenceReport


def calibration_table(report: ConfidenceReport) -> Table:
    """Return the three classifiers side by side."""
    rows = tuple(
        (
            name,
            floored(bins.accuracy, 3),
            floored(bins.confidence, 3),
            floored(bins.over_confidence, 3),
            floored(bins.under_confidence, 3),
            floored(bins.calibration_error(), 3),
            floored(bins.calibration_error(2), 3),
            floored(bins.calibration_error(np.inf), 3),
        )
        for name, bins in report.sides.items()
    )
    header = (
        "classifier", "accuracy", "confidence", "over-confidence", "under-confidence", "ECE",
        "ECE, p = 2", "MCE",
    )  # fmt: skip
    return Table(header, rows)


def gaps_table(report: ConfidenceReport) -> Table:
    """Return the single numbers: scores of the softmax, and what lies between the three classifiers."""
    rows = (
        ("Brier score of the softmax under the noise", floored(report.brier)),
        ("log loss of the softmax under the noise", floored(report.log_loss)),
        ("vote share less mean softmax of the tested class", floored(report.vote_softmax_gap)),
        ("clean confidence less vote share", floored(report.clean_confidence_gap)),
    )
    return Table(("quantity", "mean over images"), rows)


def detection_table(report: ConfidenceReport) -> Table:
    """Return what each score is worth for finding errors of the smoothed classifier."""
    rows = tuple(
        (name, *(floored(found[key], 3) for key in ("auroc", "aupr", "fpr_at_95")))
        for name, found in report.detection.items()
        if found is not None
    )
    return Table(("score", "AUROC", "AUPR of errors", "right ones suspected at 95 % of errors"), rows)
