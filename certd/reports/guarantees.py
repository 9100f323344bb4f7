"""What a run guarantees: about each image, about these images together, and about images like them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from certd.reports.accuracy import certified_accuracy, radius_grid
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
    from numpy.typing import NDArray

    from certd.smoothing.run import Run

# Failure probability of each statement about the population, and the radius whose accuracy is declared.
DELTA = 0.001
DECLARED_RADIUS = 0.25

PER_IMAGE = (
    "For each image by itself, and with probability at least 1 - alpha over the draws of the noise, the "
    "smoothed classifier returns the predicted class on every input within the certified radius. The "
    "statement is about the smoothed classifier of the base classifier as executed, not about the base "
    "classifier; over m images about alpha * m such statements may be false."
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


def guarantees(run: Run) -> list[dict[str, Any]]:
    """Return every statement that the run supports, each with the sentence that says what it guarantees.

    Each holds at its own level; several at once hold at what their failure probabilities leave together.
    """
    plan = run.manifest.certification.plan
    if plan.alpha == 0:
        return [{"name": "each-image", "values": (), "level": 1.0, "sentence": EXACT}]
    sentence = PREDICTION if plan.kind == "predict" else PER_IMAGE
    statements = [Statement("each-image", (), 1 - plan.alpha, sentence)]
    if run.manifest.certification.noise.arithmetic == "float":
        return [asdict(Statement("unproved", (), 0.0, FLOAT_NOISE))]
    statements.append(all_certificates_hold(len(run.certificates), plan.alpha))
    if plan.kind == "fixed" and plan.split and plan.bound == "one-sided" and plan.votes == "hard":
        statements += _simultaneous(run)
    if all(certificate.record.label is not None for certificate in run.certificates):
        statements += _about_labels(run)
    return [asdict(statement) for statement in statements]


def _about_labels(run: Run) -> list[Statement]:
    """Return what certified accuracy proves about these images and about their population."""
    alpha, m, largest = run.manifest.certification.plan.alpha, len(run.certificates), run.manifest.max_radius
    radii = np.array([certificate.conclusion.radius for certificate in run.certificates])
    correct = np.array([certificate.correct is True for certificate in run.certificates])
    certified = _counts(radii, correct, radius_grid(largest))
    at_declared = int(_counts(radii, correct, [DECLARED_RADIUS])[0])
    statements = [
        accuracy_of_these_images(certified, m, alpha),
        accuracy_at_radius(at_declared, m, alpha, DELTA),
        accuracy_curve_dkw(certified, m, alpha, DELTA),
        accuracy_curve_berk_jones(certified, m, alpha, DELTA),
        vote_share_distribution(m, DELTA),
    ]
    if largest > 0:
        statements.append(average_certified_radius(np.where(correct, radii, 0.0), largest, alpha, DELTA))
    return statements


def _simultaneous(run: Run) -> list[Statement]:
    """Return which shares hold all at once: by Bonferroni at every radius, by Holm at radius 0."""
    plan, guarantee = run.manifest.certification.plan, run.manifest.guarantee
    m = len(run.certificates)
    conclusions = [certificate.conclusion for certificate in run.certificates]
    hits = np.array([conclusion.top_count for conclusion in conclusions])
    trials = np.array([conclusion.draws for conclusion in conclusions])
    strict = bonferroni_alpha(plan.alpha, m)
    bounds = [guarantee.bound(int(k), int(n), strict) for k, n in zip(hits, trials, strict=True)]
    reached = np.array([bound.radius for bound in bounds])
    grid = radius_grid(run.manifest.max_radius)
    shares = [float(np.mean((reached >= r) & (reached > 0))) for r in grid]
    marked = holm(hits, trials, guarantee.threshold(0.0), plan.alpha)
    return [
        Statement(
            "bonferroni",
            tuple(shares),
            1 - plan.alpha,
            f"With probability at least 1 - {plan.alpha:g} all {m} certificates are true at once when each "
            f"is made at alpha / {m}; the values are the shares certified so at the radii {_listed(grid)}. "
            "It assumes nothing about how the images' noise is related.",
        ),
        Statement(
            "holm",
            (float(np.mean(marked)),),
            1 - plan.alpha,
            f"With probability at least 1 - {plan.alpha:g} every prediction marked by Holm's procedure is "
            f"that of the smoothed classifier; the value is the share marked.",
        ),
    ]


def _counts(radii: NDArray[np.float64], correct: NDArray[np.bool_], grid: list[float]) -> NDArray[np.int64]:
    return np.rint(certified_accuracy(radii, correct, grid) * len(radii)).astype(np.int64)


def _listed(grid: list[float]) -> str:
    return ", ".join(f"{radius:g}" for radius in grid)
