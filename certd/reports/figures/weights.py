"""Figures of a sweep over a mixture's weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from certd.reports.accuracy import accuracy_steps, certified_accuracy
from certd.reports.figures.figure import Axis, Figure, Line, Rule, Table, points
from certd.reports.figures.radius import radius_histogram
from certd.reports.printed import conditions, floored, percent, trimmed

if TYPE_CHECKING:
    from certd.reports.results import Results
    from certd.reports.weight_sweep import WeightSweep

MOST_CURVES = 4
MOST_RADII = 4


def weight_figures(sweep: WeightSweep) -> tuple[Figure, ...]:
    """Return accuracy against the weight, certified accuracy a weight, and a radius histogram a weight."""
    shown = spread(len(sweep.weights), MOST_CURVES)
    histograms = [_histogram(sweep.weights[i], sweep.mixtures[i]) for i in shown]
    alone = replace(
        radius_histogram(sweep.smoothed),
        name="radius-histogram-smoothed",
        title="Radii, smoothed alone",
    )
    return (accuracy_by_weight(sweep), curves_by_weight(sweep, shown), *histograms, alone)


def accuracy_by_weight(sweep: WeightSweep) -> Figure:
    """Draw accuracy at some radii against the weight, with what either classifier reaches alone."""
    radii = [sweep.radii[i] for i in spread(len(sweep.radii), MOST_RADII)]
    at = [certified_accuracy(results.radii, results.correct, radii) for results in sweep.mixtures]
    lines = [
        Line("accuracy, r = 0" if radius == 0 else f"certified at {trimmed(radius)}",
             points(sweep.weights, [row[i] for row in at]), marked=True)
        for i, radius in enumerate(radii)
    ]  # fmt: skip
    ends = (sweep.weights[0], sweep.weights[-1])
    smoothed = certified_accuracy(sweep.smoothed.radii, sweep.smoothed.correct, 0.0)[0].item()
    lines += [
        Line("standard alone, clean", points(ends, [sweep.clean_accuracy] * 2), yardstick=True),
        Line("smoothed alone, r = 0", points(ends, [smoothed] * 2), yardstick=True),
    ]
    best = max(range(len(at)), key=lambda i: at[i][0])
    return Figure(
        name="accuracy-by-weight",
        title="What a weight buys and what it costs",
        conditions=_conditions(sweep),
        summary=f"Accuracy at radius 0 is highest at weight {sweep.weights[best]:g}, "
        f"{percent(float(at[best][0]))}; the standard model alone reaches {percent(sweep.clean_accuracy)} on "
        f"clean images and proves nothing, the smoothed one alone {percent(smoothed)}.",
        caption="At radius 0 the share of images whose answer is proved and right; at other radii the share "
        "certified for their label. A smaller weight hands the answer to the standard model, and needs a "
        "larger margin of the smoothed one for any radius.",
        x=Axis("weight of the smoothed model", ends[0], max(ends[1], ends[0] + 1e-9)),
        y=Axis("share of images", 0, 1),
        table=by_weight(sweep),
        lines=tuple(lines),
    )


def curves_by_weight(sweep: WeightSweep, shown: tuple[int, ...]) -> Figure:
    """Draw certified accuracy against the radius, one curve a weight, clean accuracy marked."""
    lines = [Line(f"weight {sweep.weights[i]:g}", _steps(sweep.mixtures[i]), "step-before") for i in shown]
    largest = sweep.smoothed.max_radius
    lines += [
        Line("smoothed model alone", _steps(sweep.smoothed), "step-before", yardstick=True),
        Line(
            "clean accuracy, standard alone", points([0], [sweep.clean_accuracy]), "unconnected", marked=True
        ),
    ]
    cap = floored(largest, 2)
    return Figure(
        name="certified-accuracy-by-weight",
        title="Certified accuracy against the radius, a curve a weight",
        conditions=_conditions(sweep),
        summary="; ".join(
            f"weight {sweep.weights[i]:g}: {percent(float(at[0]))} at radius 0, {percent(float(at[1]))} at "
            f"{trimmed(sweep.radii[min(2, len(sweep.radii) - 1)])}"
            for i in shown
            for at in [_at(sweep.mixtures[i], sweep)]
        )
        + ".",
        caption="Each curve begins at the accuracy at radius 0, where the standard model takes part in the "
        "answer; the step beside the axis is what the smoothed model cannot certify at that weight. The "
        "marker at the left is the standard model's clean accuracy. Dashed: the smoothed model alone, "
        "under its ordinary certificate.",
        x=Axis(f"{sweep.smoothed.settings['norm']} radius", 0, largest * 1.08 or 1.0),
        y=Axis("certified accuracy", 0, 1),
        table=by_weight(sweep),
        lines=tuple(lines),
        rules=(Rule(largest, f"cap {cap}"),),
    )


def by_weight(sweep: WeightSweep) -> Table:
    """Return one row a weight: accuracy at radius 0 and at the others, abstentions."""
    header = ("weight", *(f"r = {trimmed(radius)}" for radius in sweep.radii), "abstained")
    rows = [(f"{w:g}", *_cells(r, sweep)) for w, r in zip(sweep.weights, sweep.mixtures, strict=True)]
    return Table(header, (*rows, ("smoothed alone", *_cells(sweep.smoothed, sweep))))


def spread(length: int, most: int) -> tuple[int, ...]:
    """Return at most ``most`` places of a sequence, evenly spread, both ends among them."""
    if length <= most:
        return tuple(range(length))
    return tuple(round(i * (length - 1) / (most - 1)) for i in range(most))


def _histogram(weight: float, results: Results) -> Figure:
    figure = radius_histogram(results)
    return replace(
        figure,
        name=f"radius-histogram-{round(100 * weight):03d}",
        title=f"Radii at weight {weight:g}",
        caption=figure.caption + " The first bar holds the images of which the answer alone is proved.",
    )


def _at(results: Results, sweep: WeightSweep) -> list[float]:
    place = sweep.radii[min(2, len(sweep.radii) - 1)]
    return [float(x) for x in certified_accuracy(results.radii, results.correct, [0.0, place])]


def _steps(results: Results) -> tuple[tuple[float, float], ...]:
    at, share = accuracy_steps(results.radii, results.correct)
    return (*points(at, share), (float(at[-1]), 0.0))


def _cells(results: Results, sweep: WeightSweep) -> list[str]:
    shares = certified_accuracy(results.radii, results.correct, sweep.radii)
    return [*(floored(float(share)) for share in shares), floored(float((~results.certified).mean()))]


def _conditions(sweep: WeightSweep) -> str:
    return f"{conditions(sweep.smoothed)} · {sweep.mixing.product}"
