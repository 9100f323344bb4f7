"""A figure as PNG or PDF, through matplotlib; the extra ``plot`` brings it."""

from __future__ import annotations

import io
import itertools
from typing import TYPE_CHECKING, Any, Literal

from certd.datasets.extras import import_extra

if TYPE_CHECKING:
    from certd.reports.figures.figure import Band, Bars, Figure, Line

INCHES = (6.8, 4.4)
DPI = 200
COLOURS = ("#0b5fa5", "#b6480e", "#2a7a4b", "#7a3e9d")
STYLES = ("-", (0, (6, 3)), (0, (1, 2)), (0, (6, 2, 1, 2)))
MARKERS = "os^D"
STEPS = {
    "step-before": "steps-pre",
    "step-after": "steps-post",
    "straight": "default",
    "unconnected": "default",
}
FILL_STEPS = {"step-before": "pre", "step-after": "post", "straight": None, "unconnected": None}


def render_raster(figure: Figure, form: Literal["png", "pdf"]) -> bytes:
    """Draw a figure as a file; equal figures give equal bytes under one version of matplotlib.

    Raises:
        Unavailable: If matplotlib is not installed; it names the extra.
    """
    module = import_extra("matplotlib.figure", "plot")
    canvas = module.Figure(figsize=INCHES, dpi=DPI, layout="constrained")
    axes = canvas.add_subplot()
    for group in figure.bars:
        _bars(axes, group)
    for band in figure.bands:
        _band(axes, band)
    for number, line in enumerate(figure.lines, start=len(figure.bars)):
        _line(axes, line, number)
    _dress(canvas, axes, figure)
    stream = io.BytesIO()
    canvas.savefig(
        stream, format=form, metadata={"CreationDate": None} if form == "pdf" else {"Software": None}
    )
    return stream.getvalue()


def _line(axes: Any, line: Line, number: int) -> None:
    unconnected = line.shape == "unconnected"
    xs, ys = zip(*line.points, strict=True)
    axes.plot(
        xs,
        ys,
        label=line.name,
        color=COLOURS[number % len(COLOURS)],
        linestyle="none" if unconnected else "--" if line.yardstick else STYLES[number % len(STYLES)],
        marker=MARKERS[number % len(MARKERS)] if line.marked else None,
        markersize=5,
        linewidth=1.2 if line.yardstick else 1.8,
        drawstyle=STEPS[line.shape],
    )


def _band(axes: Any, band: Band) -> None:
    xs, lower = zip(*band.lower, strict=True)
    upper = [y for _, y in band.upper]
    axes.fill_between(
        xs,
        lower,
        upper,
        step=FILL_STEPS[band.shape],
        label=band.name,
        color=COLOURS[0],
        alpha=0.18,
        linewidth=0,
    )


def _bars(axes: Any, group: Bars) -> None:
    edges = group.edges
    widths = [(high - low) * (0.8 if group.labels else 0.96) for low, high in itertools.pairwise(edges)]
    middles = [(low + high) / 2 for low, high in itertools.pairwise(edges)]
    axes.bar(middles, group.heights, widths, label=group.name, color=COLOURS[0], alpha=0.8)
    if group.labels:
        axes.set_xticks(middles, group.labels)


def _dress(canvas: Any, axes: Any, figure: Figure) -> None:
    for axis, scale, limits, name in (
        (figure.x, axes.set_xscale, axes.set_xlim, axes.set_xlabel),
        (figure.y, axes.set_yscale, axes.set_ylim, axes.set_ylabel),
    ):
        if axis.log:
            scale("log")
        limits(axis.low, axis.high)
        name(axis.label)
    for rule in figure.rules:
        axes.axvline(rule.at, color="#57606a", linestyle=":", linewidth=1)
        axes.annotate(
            rule.label, (rule.at, 0.97), (4, 0), ("data", "axes fraction"), "offset points", fontsize=8
        )
    canvas.suptitle(figure.title, fontsize=11, x=0.02, ha="left")
    words = f"NOT COMPARABLE: {'; '.join(figure.marks)}" if figure.marks else figure.conditions
    axes.set_title(words, fontsize=8, loc="left", color="#b3161b" if figure.marks else "#57606a")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e4e7eb")
    axes.set_axisbelow(True)
    if len(figure.lines) + len(figure.bands) + len(figure.bars) > 1:
        axes.legend(frameon=False, fontsize=8)
