"""A robust and a normal classifier as one HTML page that loads nothing, and as tables and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.reports.figures.figure import Axis, Figure, Line, Table, points
from certd.reports.printed import ceiled, floored
from certd.reports.rendering import render_page

if TYPE_CHECKING:
    from certd.reports.pair_confidence import PairColumn, PairReport

WORDS = {
    "accuracy": "accuracy",
    "confidence": "mean confidence",
    "over_confidence": "over-confidence: mean confidence where wrong",
    "under_confidence": "under-confidence: 1 - confidence where right",
    "expected_calibration_error": "ECE",
    "brier": "Brier score",
    "log_loss": "log loss",
}


def pair_page(report: PairReport) -> str:
    """Return the pair as a page: what was done, warnings, then each column of images."""
    return render_page(
        "pair.html.j2",
        title=f"{report.names[0]} against {report.names[1]}: how sure they are",
        conditions=conditions_of(report),
        warnings=report.warnings,
        columns=[
            (column.name, reliability_of(report, column), measures_table(report, column))
            for column in report.columns
        ],
    )


def conditions_of(report: PairReport) -> str:
    """Say in one line what was done."""
    said = report.conditions
    return (
        f"{said['images']:,} images of {said['dataset']} · attacks within {said['norm']} {said['eps']:.6g}, "
        f"PGD of {said['steps']} steps and {said['restarts']} start(s), Square of {said['queries']:,} "
        f"queries, seed {said['seed']} · {said['toolbox']} · base classifiers, float32"
    )


def measures_table(report: PairReport, column: PairColumn) -> Table:
    """Return every measure of both classifiers, and their difference with its interval."""
    ours, theirs = column.first.measures(), column.second.measures()
    rows = tuple(
        (
            words,
            floored(ours[name]),
            floored(theirs[name]),
            f"{column.differences[name].difference:+.4f}",
            f"{floored(column.differences[name].lower)} to {ceiled(column.differences[name].upper)}",
        )
        for name, words in WORDS.items()
    )
    level = next(iter(column.differences.values())).level
    return Table((f"{column.name} images", *report.names, "difference", f"{level:.0%} interval"), rows)


def reliability_of(report: PairReport, column: PairColumn) -> Figure:
    """Draw accuracy against confidence, bin by bin, for both classifiers."""
    sides = tuple(zip(report.names, (column.first.bins, column.second.bins), strict=True))
    rows = tuple(
        (name, f"{low:.2f} to {high:.2f}", f"{answers:,}", floored(confidence, 3), floored(accuracy, 3))
        for name, bins in sides
        for low, high, answers, confidence, accuracy in bins.rows
    )
    errors = "; ".join(f"{name} {floored(bins.calibration_error(), 3)}" for name, bins in sides)
    return Figure(
        name=f"reliability-{column.name.lower()}",
        title=f"Does confidence mean what it says: {column.name} images",
        conditions=conditions_of(report),
        summary=f"Expected calibration errors: {errors}.",
        caption="On the diagonal, answers of confidence z are right in a share z of cases; below it a "
        "classifier is surer than it should be. Each classifier answers to the images made against it.",
        x=Axis("mean confidence", 0, 1),
        y=Axis("share of right answers", 0, 1),
        table=Table(("classifier", "confidence", "answers", "mean confidence", "right"), rows),
        lines=(
            *(
                Line(name, points([row[3] for row in bins.rows], [row[4] for row in bins.rows]), marked=True)
                for name, bins in sides
            ),
            Line("calibrated", ((0.0, 0.0), (1.0, 1.0)), yardstick=True),
        ),
    )
