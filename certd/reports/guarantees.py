"""What a run guarantees: about each image, about these images together, and about images like them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from certd.reports.accuracy import radius_grid
from certd.reports.printed import trimmed
from certd.reports.results import counts_suffice
from certd.reports.weighted import mean
from certd.statistics.fixed_images import accuracy_of_these_images, all_certificates_hold
from certd.statistics.population import (
    accuracy_at_radius,
    accuracy_curve_berk_jones,
    accuracy_curve_dkw,
    average_certified_radius,
    vote_share_distribution,
)
from certd.statistics.simultaneous import bonferroni_alpha, holm
from certd.statistics.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from certd.reports.results import Results

# Failure probability of each statement about the population, and the radius whose accuracy is declared.
DELTA = 0.001
DECLARED_RADIUS = 0.25
# The exact band takes four seconds here and grows as the square; beyond, the other is nearly as good.
MOST_CURVE_IMAGES = 10_000

PER_IMAGE = (
    "For each image by itself, and with probability at least 1 - alpha over the draws of the noise, the "
    "smoothed classifier returns the predicted class on every input within the certified radius. The "
    "statement is about the smoothed classifier of the base classifier as executed, not about the base "
    "classifier; over m images about alpha * m such statements may be false."
)
OF_A_MIXTURE = (
    "For each image by itself, and with probability at least 1 - alpha over the draws of the noise, the "
    "mixture of the smoothed robust classifier with the standard one returns the predicted class at the "
    "image and on every input within the certified radius, whatever the standard classifier says near it. "
    "Radius 0 beside a prediction is about the image alone. The standard classifier is not smoothed: it ran "
    "once on the clean image, in float32. Over m images about alpha * m such statements may be false."
)
OF_THE_TOP = (
    "For each image by itself, and with probability at least 1 - alpha over the draws of the noise, the "
    "predicted class is among the {} most probable classes of the smoothed classifier on every input within "
    "the certified radius; that it is the most probable one is not certified. The statement is about the "
    "smoothed classifier of the base classifier as executed, not about the base classifier; over m images "
    "about alpha * m such statements may be false."
)
PREDICTION = (
    "For each image by itself, and with probability at least 1 - alpha over the draws of the noise, the "
    "predicted class is that of the smoothed classifier of the base classifier as executed. Nothing is "
    "certified about inputs near the image."
)
FLOAT_NOISE = (
    "The noise was added in floating point, whose rounding the theorem does not cover: these radii are not "
    "proved. Use quantized noise for certificates."
)
EXACT = (
    "For each image the smoothed classifier returns the predicted class on every input within the certified "
    "radius, with certainty: no draw was random."
)


def guarantees(results: Results) -> list[dict[str, Any]]:
    """Return every statement that a run supports, each with the sentence that says what it guarantees.

    Each holds at its own level; several at once hold at what their failure probabilities leave together.

    Args:
        results: Those of a run; a log that was imported from elsewhere guarantees nothing by itself.
    """
    alpha, settings = results.alpha, results.settings
    first = about_each_image(results)
    if alpha == 0 or settings["arithmetic"] == "float":
        return [asdict(first)]
    statements = [first, all_certificates_hold(len(results), alpha)]
    if _plain_counts(settings):
        statements += _simultaneous(results)
    if results.labels is not None:
        statements += _about_labels(results)
    return [asdict(statement) for statement in statements]


def about_each_image(results: Results) -> Statement:
    """Return what a run guarantees of each image by itself; the first of :func:`guarantees`."""
    if results.alpha == 0:
        return Statement("each-image", (), 1.0, EXACT)
    if results.settings["arithmetic"] == "float":
        return Statement("unproved", (), 0.0, FLOAT_NOISE)
    if results.smooths_then_mixes:
        return Statement("each-image", (), 1 - results.alpha, OF_A_MIXTURE)
    if results.top_k > 1:
        return Statement("each-image", (), 1 - results.alpha, OF_THE_TOP.format(results.top_k))
    sentence = PREDICTION if results.settings["plan"] == "predict" else PER_IMAGE
    return Statement("each-image", (), 1 - results.alpha, sentence)


def _plain_counts(settings: Mapping[str, Any]) -> bool:
    """Return whether each bound is the one-sided one of a count looked at once."""
    plain = {"plan": "fixed", "split": True, "bound": "one-sided"}
    return counts_suffice(settings) and all(
        settings.get(name, usual) == usual for name, usual in plain.items()
    )


def _about_labels(results: Results) -> list[Statement]:
    """Return what certified accuracy proves about these images and about their population.

    Of top-k certificates only how their votes are distributed: they prove nothing about an accuracy.
    """
    alpha, m, largest = results.alpha, len(results), results.max_radius
    votes = vote_share_distribution(m, DELTA)
    if results.top_k > 1:
        return [votes]
    certified = results.certified_counts(radius_grid(largest))
    at_declared = int(results.certified_counts([DECLARED_RADIUS])[0])
    statements = [
        accuracy_of_these_images(certified, m, alpha),
        accuracy_at_radius(at_declared, m, alpha, DELTA),
        accuracy_curve_dkw(certified, m, alpha, DELTA),
    ]
    if m <= MOST_CURVE_IMAGES:
        statements.append(accuracy_curve_berk_jones(certified, m, alpha, DELTA))
    statements.append(votes)
    if largest > 0:
        bound = average_certified_radius(results.credited, largest, alpha, DELTA, results.order)
        statements.append(bound)
    return statements


def _simultaneous(results: Results) -> list[Statement]:
    """Return which shares hold all at once: by Bonferroni at every radius, by Holm at radius 0."""
    guarantee, alpha, m = results.guarantee, results.alpha, len(results)
    strict = bonferroni_alpha(alpha, m)
    reached = _radii_at(results, strict)
    grid = radius_grid(results.max_radius)
    shares = [mean((reached >= r) & (reached > 0), results.weights) for r in grid]
    marked = holm(results.top_counts, results.draws, guarantee.threshold(0.0), alpha, results.weights)
    return [
        Statement(
            "bonferroni",
            tuple(shares),
            1 - alpha,
            f"With probability at least 1 - {alpha:g} all {m} certificates are true at once when each "
            f"is made at alpha / {m}; the values are the shares certified so at the radii {_listed(grid)}. "
            "It assumes nothing about how the images' noise is related.",
        ),
        Statement(
            "holm",
            (mean(marked, results.weights),),
            1 - alpha,
            f"With probability at least 1 - {alpha:g} every prediction marked by Holm's procedure is "
            f"that of the smoothed classifier; the value is the share marked.",
        ),
    ]


def _radii_at(results: Results, alpha: float) -> NDArray[np.float64]:
    """Return the radius of every image at another alpha; equal counts are bounded once."""
    pairs = np.column_stack([results.top_counts, results.draws])
    distinct, place = np.unique(pairs, axis=0, return_inverse=True)
    radii = np.array([results.guarantee.bound(int(k), int(n), alpha).radius for k, n in distinct])
    return np.asarray(radii[place.reshape(-1)])


def _listed(grid: list[float]) -> str:
    return ", ".join(map(trimmed, grid))
