"""Figures of the average certified radius and of what is wrong with it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from certd.reports.budget_curve import average_radius_by_budget
from certd.reports.figures.figure import Axis, Figure, Line, Rule, Table, points
from certd.reports.inequality import lorenz_curve
from certd.reports.printed import conditions, floored, percent
from certd.reports.radius import sensitivity

if TYPE_CHECKING:
    from certd.reports.results import Results

HEADROOM = 1.15
TENTHS = np.arange(11) / 10
PROBABILITIES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999)


def budget_figure(results: Results) -> Figure | None:
    """Draw the expected ACR at each budget above the constant classifier's; None where counts do not say."""
    found = average_radius_by_budget(results)
    if found is None:
        return None
    draws = [point.draws for point in found]
    ours, trivial = [p.average_radius for p in found], [p.trivial_radius for p in found]
    rows = tuple(
        (f"{p.draws:,}", floored(p.average_radius), floored(p.trivial_radius), p.basis) for p in found
    )
    spent = int(results.draws.max())
    return Figure(
        name="acr-by-budget",
        title="Average certified radius against the budget",
        conditions=conditions(results),
        summary=f"Expected ACR grows from {floored(ours[0])} at {draws[0]:,} draws to {floored(ours[-1])} at "
        f"{draws[-1]:,}; the constant classifier's from {floored(trivial[0])} to {floored(trivial[-1])}.",
        caption="The same votes under a one-sided fixed plan of each budget. ACR grows without end, and so "
        "does that of the classifier that always returns the most frequent class. Beyond the draws that "
        "were made it is a projection from k/n." + _bias(results),
        x=Axis("draws n", draws[0], draws[-1], log=True),
        y=Axis("ACR, input units", 0, HEADROOM * max(*ours, *trivial)),
        table=Table(("draws", "expected ACR", "constant classifier", "basis"), rows),
        lines=(
            Line("expected ACR", points(draws, ours), marked=True),
            Line("constant classifier", points(draws, trivial), marked=True, yardstick=True),
        ),
        rules=(Rule(spent, f"drawn: {spent:,}"),) if draws[0] <= spent <= draws[-1] else (),
    )


def sensitivity_figure(results: Results) -> Figure | None:
    """Draw what a hundredth of pA is worth in radius; None unless the noise is Gaussian and the norm l2."""
    if (results.settings["noise"], results.settings["norm"]) != ("gaussian", "l2"):
        return None
    sigma = float(results.settings["sigma"])
    grid = 1 - np.logspace(math.log10(0.5), -4, 80)
    slopes = [sensitivity(p, sigma) / 100 for p in grid]
    rows = tuple((f"{p:g}", floored(sensitivity(p, sigma) / 100, 5)) for p in PROBABILITIES)
    return Figure(
        name="sensitivity",
        title="Radius that one hundredth of pA is worth",
        conditions=conditions(results),
        summary=f"It grows from {floored(slopes[0])} at pA = 0.5 to {floored(slopes[-1])} at 0.9999.",
        caption="dR/dpA = sigma / phi(Phi⁻¹(pA)), per hundredth. One vote at the top of the scale moves the "
        "average as much as hundreds at the bottom, so ACR rewards making easy images easier.",
        x=Axis("pA", 0.5, 1),
        y=Axis("radius per 0.01 of pA", slopes[0] / 1.5, slopes[-1] * 1.2, log=True),
        table=Table(("pA", "radius per 0.01"), rows),
        lines=(Line("sensitivity", points(grid.tolist(), slopes)),),
    )


def lorenz_figure(results: Results) -> Figure:
    """Draw which share of the summed radius the images of smallest radius hold."""
    images, radius = lorenz_curve(results.credited, results.weights)
    read = np.interp(TENTHS, images, radius)
    rows = tuple((f"{x:.1f}", floored(y)) for x, y in zip(TENTHS, read, strict=True))
    return Figure(
        name="lorenz",
        title="Who earns the average certified radius",
        conditions=conditions(results),
        summary=f"The half of the images with the smallest radii earns {percent(read[5])} of the summed "
        f"radius; the tenth with the largest earns {percent(1 - read[9])}.",
        caption="Images in rising order of radius, wrong and abstained ones first, at 0. On the diagonal all "
        "would earn alike.",
        x=Axis("share of images", 0, 1),
        y=Axis("share of the summed radius", 0, 1),
        table=Table(("share of images", "share of the summed radius"), rows),
        lines=(
            Line("these images", points(images.tolist(), radius.tolist())),
            Line("equal radii", ((0.0, 0.0), (1.0, 1.0)), yardstick=True),
        ),
    )


def _bias(results: Results) -> str:
    if results.looks == 1:
        return ""
    return " The plan stopped early, which biases k/n; every point is a projection."
