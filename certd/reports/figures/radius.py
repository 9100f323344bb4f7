"""Figures of the certified radius: the accuracy it guarantees, and how it is spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from certd.reports.accuracy import accuracy_steps, image_sampling_interval
from certd.reports.figures.distribution import names_of, sentence
from certd.reports.figures.figure import Axis, Band, Bars, Figure, Line, Rule, Table, points
from certd.reports.printed import ceiled, conditions, floored, percent, trimmed
from certd.reports.summary import INTERVAL_DELTA, grid_of
from certd.reports.weighted import count, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certd.reports.results import Results

NUM_BINS = 20
MOST_ROWS = 16


def accuracy_curve(*runs: Results) -> Figure:
    """Draw certified accuracy against the radius, as the exact step curve; one curve a run."""
    names = names_of(runs)
    alone = runs[0] if len(runs) == 1 else None
    norm = runs[0].settings["norm"]
    caps = sorted({(run.max_radius, f"cap {floored(run.max_radius, 2)}") for run in runs})
    return Figure(
        name="certified-accuracy",
        title="Certified accuracy against the radius",
        conditions=conditions(runs[0]),
        summary=sentence(_sentence(name, run) for name, run in zip(names, runs, strict=True)),
        caption="Share of all images, abstentions included, that are certified for their label at the "
        "radius. Nothing can be certified beyond the cap, whatever the classifier."
        + (
            f" Band: {1 - INTERVAL_DELTA:.0%} interval over the draw of the images, at each radius by itself."
            if alone
            else ""
        )
        + (_listed(alone) if alone else ""),
        x=Axis(f"{norm} radius", 0, caps[-1][0] * 1.08 or 1.0),
        y=Axis("certified accuracy", 0, 1),
        table=_accuracy_table(names, runs),
        lines=tuple(
            Line(name, _steps_to_zero(run), "step-before") for name, run in zip(names, runs, strict=True)
        ),
        bands=(_interval(alone),) if alone else (),
        rules=tuple(Rule(at, label) for at, label in caps),
    )


def radius_histogram(results: Results) -> Figure:
    """Draw how many images are certified at which radius."""
    chosen = results.certified if results.labels is None else results.correct
    counted, weights = results.radii[chosen], None if results.weights is None else results.weights[chosen]
    largest = results.max_radius or 1.0
    found, edges = np.histogram(np.minimum(counted, largest), NUM_BINS, (0, largest), weights=weights)
    heights, images = found.astype(np.int64), size(counted, weights)
    largest_reached = count(counted >= largest * (1 - 1e-9), weights)
    rows = tuple(
        (f"{floored(low, 3)} to {floored(high, 3)}", f"{height:,}", percent(height / len(results)))
        for low, high, height in zip(edges, edges[1:], heights, strict=False)
    )
    who = "certified for their label" if results.labels is not None else "certified"
    return Figure(
        name="radius-histogram",
        title=f"Radii of the images {who}",
        conditions=conditions(results),
        summary=f"{images:,} of {len(results):,} images are {who}; "
        f"{largest_reached:,} reach the largest radius, {floored(largest)}.",
        caption=f"{len(results) - images:,} further images have no radius here: they abstained"
        + (" or are wrong." if results.labels is not None else "."),
        x=Axis(f"{results.settings['norm']} radius", 0, largest),
        y=Axis("images", 0, float(max(heights.max(), 1))),
        table=Table(("radius", "images", "share"), rows),
        bars=(Bars("images", tuple(edges.tolist()), tuple(heights.astype(float).tolist())),),
    )


def _interval(results: Results) -> Band:
    at, share = accuracy_steps(results.radii, results.correct, results.weights)
    counts = np.rint(share * len(results)).astype(np.int64)
    lower, upper = image_sampling_interval(counts, len(results), INTERVAL_DELTA)
    name = f"{1 - INTERVAL_DELTA:.0%} over images"
    return Band(name, points(at, lower), points(at, upper), "step-before")


def _steps_to_zero(results: Results) -> tuple[tuple[float, float], ...]:
    at, share = accuracy_steps(results.radii, results.correct, results.weights)
    return (*points(at, share), (float(at[-1]), 0.0))


def _accuracy_table(names: Sequence[str], runs: Sequence[Results]) -> Table:
    grid = grid_of(max(runs, key=lambda run: run.max_radius))
    grid = grid[:: -(-len(grid) // MOST_ROWS)]
    counts = [run.certified_counts(grid) for run in runs]
    columns = [[floored(c / len(run)) for c in found] for run, found in zip(runs, counts, strict=True)]
    header = ("radius", *names)
    if len(runs) == 1:
        lower, upper = image_sampling_interval(counts[0], len(runs[0]), INTERVAL_DELTA)
        columns += [[floored(x) for x in lower], [ceiled(x) for x in upper]]
        header = (*header, "lower", "upper")
    return Table(header, tuple(zip([trimmed(radius) for radius in grid], *columns, strict=True)))


def _sentence(name: str, run: Results) -> str:
    at_zero, at_quarter = run.certified_counts([0.0, 0.25]) / len(run)
    return f"{name}: {percent(at_zero)} at radius 0, {percent(at_quarter)} at 0.25"


def _listed(results: Results) -> str:
    if results.declared_radii is None:
        return ""
    return " The plan decides a declared list of radii, and every radius stands at the listed one below it."
