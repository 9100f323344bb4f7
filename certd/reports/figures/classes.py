"""The figure of the classes: an average hides the class that is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.reports.classes import by_class
from certd.reports.figures.figure import Axis, Bars, Figure, Line, Table
from certd.reports.printed import conditions, floored, percent

if TYPE_CHECKING:
    from certd.reports.results import Results

MOST_CLASSES = 30
HEADER = (
    "class",
    "images",
    "median k / n",
    "at or below 1/2",
    "certified accuracy",
    "ACR",
    "share of summed radius",
)


def class_figure(results: Results) -> Figure | None:
    """Draw certified accuracy and the median of k/n by class; None without labels or for many classes."""
    if results.labels is None or results.label_counts is None:
        return None
    rows = by_class(
        results.labels,
        results.label_counts,
        results.draws,
        results.reached,
        results.weights,
        results.label_weights,
    )
    if len(rows) > MOST_CLASSES:
        return None
    worst = min(rows, key=lambda row: row.certified_accuracy)
    places = [float(i) for i in range(len(rows))]
    return Figure(
        name="by-class",
        title="Certified accuracy at radius 0, by class",
        conditions=conditions(results),
        summary=f"Class {worst.label} is lowest, with {percent(worst.certified_accuracy)} of its images "
        "certified for their label.",
        caption=""
        if results.recovered
        else "Markers: median share of the draws for the label. A class whose median lies below one half is "
        "lost to smoothing.",
        x=Axis("class", -0.6, len(rows) - 0.4),
        y=Axis("share", 0, 1),
        table=Table(
            HEADER,
            tuple(
                (
                    str(row.label),
                    f"{row.images:,}",
                    "unknown" if results.recovered else floored(row.median_share),
                    f"{row.hard:,}",
                    floored(row.certified_accuracy),
                    floored(row.average_radius),
                    floored(row.radius_share),
                )
                for row in rows
            ),
        ),
        bars=(
            Bars(
                "certified accuracy",
                tuple(i - 0.5 for i in range(len(rows) + 1)),
                tuple(row.certified_accuracy for row in rows),
                tuple(str(row.label) for row in rows),
            ),
        ),
        lines=()
        if results.recovered
        else (
            Line(
                "median k / n of the label",
                tuple((x, row.median_share) for x, row in zip(places, rows, strict=True)),
                shape="unconnected",
                marked=True,
            ),
        ),
    )
