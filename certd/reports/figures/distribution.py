"""Figures of the pA distribution: the first on every page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from certd.reports.figures.figure import Axis, Band, Bars, Figure, Line, Rule, Table, points
from certd.reports.pa_distribution import (
    CURVE_GRID,
    NUM_BINS,
    correct_share_curve,
    histogram,
    probability_band,
    share_band,
)
from certd.reports.printed import ceiled, conditions, floored, percent
from certd.reports.weighted import lower_quantiles, mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from certd.reports import pa_distribution
    from certd.reports.results import Results
    from certd.reports.weighted import Weights

DELTA = 0.05
ALONE = "these images"
TABLE_POINTS = np.arange(11) / 10
RECOVERED = (
    " Counts were recovered from printed radii; the log does not hold those of wrong and abstained images, "
    "whose shares are about one half at most."
)
EARLY = (
    " The plan stops early, so k/n leans towards the boundary that stopped it; the band is widened by each "
    "image's interval over all looks."
)


def pa_histogram(results: Results) -> Figure:
    """Draw how many images have which share of the draws for their label, or for the tested class."""
    shares = _shares(results)
    first = NUM_BINS // 2 if results.recovered else 0
    heights = histogram(shares, weights=_weights(results))[first:]
    edges = np.arange(first, NUM_BINS + 1) / NUM_BINS
    rows = tuple(
        (f"{low:.2f} to {high:.2f}", f"{count:,}", percent(count / len(results)))
        for low, high, count in zip(edges, edges[1:], heights, strict=False)
    )
    return Figure(
        name="pa-histogram",
        title=f"pA distribution: share of the draws for the {_of_what(results)}",
        conditions=conditions(results),
        summary=_summary(results, shares),
        caption="At or below one half a one-sided bound certifies nothing; the far right carries the average "
        f"certified radius.{_notes(results)}",
        x=Axis("k / n", _least(results), 1),
        y=Axis("images", 0, float(max(heights.max(), 1))),
        table=Table(("k / n", "images", "share"), rows),
        bars=(Bars("images", tuple(edges.tolist()), tuple(heights.astype(float).tolist())),),
        rules=() if results.recovered else (Rule(0.5, "1/2"),),
    )


def pa_cumulative(results: Results) -> Figure:
    """Draw the distribution function with a band for the population."""
    band = _band(results)
    read = TABLE_POINTS[_least(results) <= TABLE_POINTS]
    at = np.searchsorted(band.at, read, side="right") - 1
    rows = tuple(
        (f"{x:.1f}", floored(band.below[i]), floored(band.lower[i]), ceiled(band.upper[i]))
        for x, i in zip(read, at, strict=True)
    )
    whose = "the probabilities" if results.looks > 1 else "k / n at this number of draws"
    return Figure(
        name="pa-distribution",
        title="pA distribution: share of images at or below each k / n",
        conditions=conditions(results),
        summary=_summary(results, _shares(results)),
        caption=f"The band holds the population's distribution function of {whose} everywhere, with "
        f"probability {band.level:g}. It assumes independent images and independent noise across them."
        f"{_notes(results)}",
        x=Axis("k / n", _least(results), 1),
        y=Axis("share of images", 0, 1),
        table=Table(("k / n", "share at or below", "lower", "upper"), rows),
        lines=(Line("these images", points(band.at, band.below), "step-after"),),
        bands=(
            Band(
                f"population, {band.level:.0%}",
                points(band.at, band.lower),
                points(band.at, band.upper),
                "step-after",
            ),
        ),
        rules=() if results.recovered else (Rule(0.5, "1/2"),),
    )


def probit_share_curve(*runs: Results) -> Figure:
    """Draw S(x) over the probit of x, which under Gaussian noise reads as a radius in units of sigma.

    The curve stands where k/n stands, not where its bound does: it is what an endless budget would certify.
    """
    plain = share_curve(*runs)
    at, last = ndtri(CURVE_GRID[:-1]), len(CURVE_GRID) - 1
    most = float(
        max(ndtri(run.alpha ** (1 / float(run.draws.max()))) if run.alpha else at[-1] for run in runs)
    )
    most = max(most, float(at[-1]))
    lines = tuple(
        replace(line, points=(*points(at, [y for _, y in line.points[:last]]), (most, line.points[last][1])))
        for line in plain.lines
    )
    return replace(
        plain,
        name="correct-share-probit",
        title="S(x) over the probit of x, read as R / sigma",
        caption=f"{plain.caption} k = n stands at the largest radius that the budget certifies.",
        x=Axis("probit of x = R / sigma", 0, most),
        lines=lines,
    )


def share_curve(*runs: Results) -> Figure:
    """Draw S(x), the share certified for the label with k/n of at least x; one curve a run."""
    curves = [correct_share_curve(run.top_counts, run.draws, run.correct, run.weights) for run in runs]
    at = np.arange(0, len(CURVE_GRID), 50)
    names = names_of(runs)
    rows = tuple((f"{CURVE_GRID[i]:.2f}", *(floored(curve[i]) for curve in curves)) for i in at)
    return Figure(
        name="correct-share",
        title="S(x): share of images certified for their label with k / n ≥ x",
        conditions=conditions(runs[0]),
        summary=sentence(
            f"{name}: {percent(curve[0])} at 0.5, {percent(curve[400])} at 0.9, {percent(curve[-1])} at 1"
            for name, curve in zip(names, curves, strict=True)
        ),
        caption="The curve of arXiv:2410.06895. It reads k/n, not the bound, so it does not grow with the "
        f"budget as the average radius does.{RECOVERED if runs[0].recovered else ''}",
        x=Axis("x", 0.5, 1),
        y=Axis("S(x)", 0, 1),
        table=Table(("x", *names), rows),
        lines=tuple(
            Line(name, points(CURVE_GRID, curve), "step-before")
            for name, curve in zip(names, curves, strict=True)
        ),
    )


def sentence(phrases: Iterable[str]) -> str:
    """Return what is said of each run as one sentence; a model's name keeps its own first letter."""
    text = "; ".join(phrases) + "."
    return "T" + text[1:] if text.startswith(ALONE) else text


def names_of(runs: tuple[Results, ...]) -> tuple[str, ...]:
    """Name the curves of a figure: by model, and by number where two models share a name."""
    if len(runs) == 1:
        return (ALONE,)
    models = [run.model.split("@")[0] for run in runs]
    if len(set(models)) == len(models):
        return tuple(models)
    named = [f"{model}, sigma {run.settings['sigma']:g}" for model, run in zip(models, runs, strict=True)]
    distinct = len(set(named)) == len(named)
    return tuple(name if distinct else f"{i}: {name}" for i, name in enumerate(named, start=1))


def _least(results: Results) -> float:
    """Return from which share on the counts are known."""
    return 0.5 if results.recovered else 0.0


def _shares(results: Results) -> NDArray[np.float64]:
    shares = results.label_shares
    return results.top_shares if shares is None else shares


def _band(results: Results) -> pa_distribution.Band:
    if results.looks == 1 or results.alpha == 0:
        return share_band(_shares(results), DELTA, _weights(results))
    counts = results.top_counts if results.label_counts is None else results.label_counts
    weights = _weights(results)
    return probability_band(counts, results.draws, results.looks, results.alpha, DELTA, weights)


def _weights(results: Results) -> Weights:
    return results.weights if results.label_counts is None else results.label_weights


def _of_what(results: Results) -> str:
    return "tested class" if results.label_counts is None else "label"


def _summary(results: Results, shares: NDArray[np.float64]) -> str:
    weights = _weights(results)
    easy = percent(mean(shares >= 0.9, weights))
    if results.recovered:
        return f"{percent(mean(shares > 0.5, weights))} of the images above one half, {easy} at 0.9 or above."
    median = float(lower_quantiles(shares, [0.5], weights)[0])
    return (
        f"Median {floored(median)}; {percent(mean(shares <= 0.5, weights))} of the images at or below one "
        f"half, {easy} at 0.9 or above."
    )


def _notes(results: Results) -> str:
    return (RECOVERED if results.recovered else "") + (EARLY if results.looks > 1 else "")
