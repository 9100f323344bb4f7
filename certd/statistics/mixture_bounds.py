"""Bounds on a smoothed classifier's probabilities, and whether they settle what a mixture answers.

All of them hold together with probability at least 1 - alpha. Which kind is used must be decided before the
draws: the better of two, chosen after looking, is false with up to twice that probability.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import softmax

from certd.statistics.clopper_pearson import clopper_pearson_lower, clopper_pearson_upper
from certd.statistics.domain import require_class_counts, require_inside

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

BoundKind = Literal["classes", "predicted"]
# What a sum of two products of probabilities may be off by, many times over.
ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class HeldProbabilities:
    """Bounds on a smoothed classifier's probabilities at one input, all true together.

    Attributes:
        lower: Of the predicted class, in [0, 1].
        runner_up: Upper bound on every other class, in [0, 1].
    """

    lower: float
    runner_up: float


def bounds_by_class(counts: ArrayLike, predicted: int, alpha: float) -> HeldProbabilities:
    """Bound every class's probability from its votes, with failure probability ``alpha`` over all of them.

    ``alpha`` is shared out evenly; the predicted class is bounded from below, the others from above. Draws
    that chose the class must not be among these.

    Args:
        counts: Votes, int[class].
        predicted: The class y, chosen beforehand.
        alpha: Failure probability of the bounds together, in (0, 1).
    """
    votes = require_class_counts(counts)
    share = math.nextafter(alpha / len(votes), 0.0)
    lower, uppers = _lower_and_uppers(votes, predicted, share)
    return HeldProbabilities(lower, float(np.delete(uppers, predicted).max()))


def bounds_by_predicted_class(count: int, draws: int, alpha: float) -> HeldProbabilities:
    """Bound the predicted class alone, with all of ``alpha``; the others share what it leaves.

    Better than :func:`bounds_by_class` where one class takes what the predicted one does not. Which of the
    two is used must be chosen before the draws.

    Args:
        count: Votes for the predicted class, in [0, draws].
        draws: Independent draws that did not choose the class.
        alpha: Failure probability, in (0, 1).
    """
    require_inside("alpha", alpha)
    lower = float(clopper_pearson_lower(count, draws, alpha))
    return HeldProbabilities(lower, math.nextafter(1 - lower, 1.0))


def class_bounds(
    counts: ArrayLike, predicted: int, alpha: float, kind: BoundKind
) -> tuple[float, NDArray[np.float64]]:
    """Return a lower bound on the predicted class and an upper one on each other, of either kind.

    Args:
        counts: Votes, int[class], of draws that did not choose the class.
        predicted: The class y, chosen beforehand.
        alpha: Failure probability of the bounds together, in (0, 1).
        kind: ``classes`` as :func:`bounds_by_class`, ``predicted`` as :func:`bounds_by_predicted_class`.

    Returns:
        The lower bound, and float64[class]; the predicted class's own entry is 1.
    """
    votes = require_class_counts(counts)
    if kind == "classes":
        return _lower_and_uppers(votes, predicted, math.nextafter(alpha / len(votes), 0.0))
    held = bounds_by_predicted_class(int(votes[predicted]), int(votes.sum()), alpha)
    uppers = np.full(len(votes), held.runner_up)
    uppers[predicted] = 1.0
    return held.lower, uppers


def bounds_without_choice(
    counts: ArrayLike, predicted: int, alpha: float
) -> tuple[float, NDArray[np.float64]]:
    """Return bounds as :func:`class_bounds` does for a class that these very draws may have chosen.

    Every class is bounded from both sides, each at ``alpha / 2K``, so the bounds hold for all classes at
    once and any of them may be looked at.
    """
    votes = require_class_counts(counts)
    return _lower_and_uppers(votes, predicted, math.nextafter(alpha / (2 * len(votes)), 0.0))


def probabilities(logits: ArrayLike, scale: float = 1.0) -> NDArray[np.float64]:
    """Return the softmax of ``scale`` times the logits, float64[..., class], in float64."""
    return np.asarray(softmax(scale * np.asarray(logits, np.float64), axis=-1))


def answer_is_settled(
    predicted: int,
    standard: NDArray[np.float64],
    lower: float,
    uppers: NDArray[np.float64],
    weight: float,
) -> bool:
    """Return whether the mixture answers ``predicted`` at an input, whatever the bounds leave open.

    That is so where ``(1 - a) g_y + a lower`` exceeds ``(1 - a) g_i + a upper_i`` for every other class i.
    Nothing follows about the neighbourhood of the input: there g may say anything.

    Args:
        predicted: The class y.
        standard: Probabilities of g at the input, float64[class].
        lower: Lower bound on h_y.
        uppers: Upper bounds on h, float64[class]; the predicted class's own is not read.
        weight: The share a of h at this input, in [0, 1].
    """
    mixed = (1 - weight) * standard + weight * uppers
    own = (1 - weight) * float(standard[predicted]) + weight * lower
    return own > float(np.delete(mixed, predicted).max()) + ROUNDING


def _lower_and_uppers(
    votes: NDArray[np.int64], predicted: int, share: float
) -> tuple[float, NDArray[np.float64]]:
    draws = int(votes.sum())
    lower = float(clopper_pearson_lower(int(votes[predicted]), draws, share))
    found = np.asarray(clopper_pearson_upper(votes, draws, share), np.float64)
    uppers = np.minimum(found, math.nextafter(1 - lower, 1.0))
    uppers[predicted] = 1.0
    return lower, uppers
