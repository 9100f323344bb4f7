"""Figures of how sure classifiers are."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from certd.reports.calibration import RIGHT, WRONG
from certd.reports.confidence import confidence_report
from certd.reports.error_detection import risk_coverage
from certd.reports.figures.figure import Axis, Bars, Figure, Line, Table, points
from certd.reports.printed import ceiled, conditions, floored, percent
from certd.statistics.clopper_pearson import clopper_pearson_lower, clopper_pearson_upper

if TYPE_CHECKING:
    from certd.reports.confidence import ConfidenceReport
    from certd.reports.results import Results

LEVEL = 0.95
KEPT = (0.5, 0.7, 0.8, 0.9, 0.95, 1.0)


def confidence_figures(results: Results) -> tuple[Figure, ...]:
    """Return reliability, density and risk against coverage; none where a run did not record confidence."""
    found = confidence_report(results)
    if found is None:
        return ()
    return reliability_figure(results, found), density_figure(results, found), risk_figure(results, found)


def reliability_figure(results: Results, report: ConfidenceReport) -> Figure:
    """Draw accuracy against confidence, bin by bin, for the three classifiers."""
    rows = tuple(
        (
            name,
            f"{low:.2f} to {high:.2f}",
            f"{answers:,}",
            floored(confidence, 3),
            floored(accuracy, 3),
            "draws of one image depend on it" if bins is report.noisy else _interval(accuracy, answers),
        )
        for name, bins in report.sides.items()
        for low, high, answers, confidence, accuracy in bins.rows
    )
    sides = [f"{name} {floored(bins.calibration_error(), 3)}" for name, bins in report.sides.items()]
    return Figure(
        name="reliability",
        title="Does confidence mean what it says",
        conditions=conditions(results),
        summary=f"Expected calibration errors: {'; '.join(sides)}.",
        caption="Each marker is a fifteenth of the scale. On the diagonal, answers of confidence z are right "
        "in a share z of cases; below it a classifier is surer than it should be. A vote share is no "
        "softmax: it counts how often the base classifier agrees with itself.",
        x=Axis("mean confidence", 0, 1),
        y=Axis("share of right answers", 0, 1),
        table=Table(
            ("classifier", "confidence", "answers", "mean confidence", "right", "95 % interval"), rows
        ),
        lines=(
            *(
                Line(name, points([row[3] for row in bins.rows], [row[4] for row in bins.rows]), marked=True)
                for name, bins in report.sides.items()
            ),
            Line("calibrated", ((0.0, 0.0), (1.0, 1.0)), yardstick=True),
        ),
    )


def _interval(accuracy: float, answers: int) -> str:
    """Return the Clopper-Pearson interval of a bin's accuracy over images drawn like these."""
    right, tail = round(accuracy * answers), (1 - LEVEL) / 2
    lower = float(clopper_pearson_lower(right, answers, tail))
    upper = float(clopper_pearson_upper(right, answers, tail))
    return f"{floored(lower, 3)} to {ceiled(upper, 3)}"


def density_figure(results: Results, report: ConfidenceReport) -> Figure:
    """Draw how sure the base classifier is on noisy copies that it gets right, and on those it gets wrong."""
    noisy = report.noisy
    edges = np.linspace(0, 1, noisy.counts.shape[1] + 1)
    shares = noisy.counts / noisy.counts.sum()
    rows = tuple(
        (f"{low:.2f} to {high:.2f}", floored(shares[RIGHT, i]), floored(shares[WRONG, i]))
        for i, (low, high) in enumerate(pairwise(edges))
    )
    return Figure(
        name="confidence-density",
        title="Confidence of right and of wrong answers under the noise",
        conditions=conditions(results),
        summary=f"Wrong answers have a mean confidence of {floored(noisy.over_confidence, 3)}, right ones of "
        f"{floored(1 - noisy.under_confidence, 3)}; {percent(1 - noisy.accuracy)} of the copies are wrong.",
        caption="Shares of all noisy copies. Where wrong answers pile up at the right end, a threshold on "
        "confidence does not find them.",
        x=Axis("largest softmax", 0, 1),
        y=Axis("share of noisy copies", 0, 1.1 * float(shares.sum(axis=0).max())),
        table=Table(("confidence", "right", "wrong"), rows),
        bars=(Bars("all", tuple(edges), tuple(shares.sum(axis=0))),),
        lines=(
            Line("right", points((edges[:-1] + edges[1:]) / 2, shares[RIGHT]), marked=True),
            Line("wrong", points((edges[:-1] + edges[1:]) / 2, shares[WRONG]), marked=True),
        ),
    )


def risk_figure(results: Results, report: ConfidenceReport) -> Figure:
    """Draw the share of errors among the images kept, by each score."""
    curves = {name: risk_coverage(scores, report.right) for name, scores in report.scores.items()}
    rows = tuple(
        (name, *(floored(float(np.interp(kept, coverage, risk)), 3) for kept in KEPT))
        for name, (coverage, risk) in curves.items()
    )
    worst = max(float(risk.max()) for _, risk in curves.values())
    return Figure(
        name="risk-coverage",
        title="Errors among the images kept",
        conditions=conditions(results),
        summary=f"Over all images {percent(1 - float(report.right.mean()))} of the smoothed classifier's "
        "answers are wrong, whichever score is used.",
        caption="Images are kept from the highest score down. The lower a curve, the better its score finds "
        "the errors of the smoothed classifier.",
        x=Axis("share of images kept", 0, 1),
        y=Axis("share of errors among them", 0, max(0.01, 1.1 * worst)),
        table=Table(("score", *(f"{kept:.0%} kept" for kept in KEPT)), rows),
        lines=tuple(
            Line(name, points(coverage, risk), shape="step-before")
            for name, (coverage, risk) in curves.items()
        ),
    )
