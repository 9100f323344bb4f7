"""Certified accuracy and abstention: shares over all images of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from certd.reports.weighted import size
from certd.statistics import clopper_pearson_lower, clopper_pearson_upper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from certd.reports.weighted import Weights

STEP = 0.25


def certified_accuracy(
    radii: NDArray[np.float64],
    correct: NDArray[np.bool_],
    at: float | Sequence[float],
    weights: Weights = None,
) -> NDArray[np.float64]:
    """Return the share of images that are correct and certified at each radius, inclusive.

    Args:
        radii: Certified radii in input units, float64[image]; 0 for an abstention.
        correct: Whether the prediction is the label, bool[image]; False for an abstention.
        at: Radii to read the curve at, in input units. At 0 every correct certified image counts.
        weights: Images an entry stands for, int64[image]; None for one each.

    Returns:
        float64[radius] in [0, 1]. Abstentions stay in the denominator.

    References:
        Cohen, Rosenfeld and Kolter (2019), arXiv:1902.02918, section 4.
    """
    return certified_counts(radii, correct, at, weights) / size(radii, weights)


def certified_counts(
    radii: NDArray[np.float64],
    correct: NDArray[np.bool_],
    at: float | Sequence[float],
    weights: Weights = None,
) -> NDArray[np.int64]:
    """Return how many images are correct and certified at each radius, inclusive; int64[radius]."""
    grid = np.atleast_1d(np.asarray(at, dtype=np.float64))
    reached = radii[correct]
    order = np.argsort(reached)
    below = np.searchsorted(reached, grid, side="left", sorter=order)
    if weights is None:
        return len(reached) - below.astype(np.int64)
    counted = np.concatenate([[0], np.cumsum(weights[correct][order])])
    return np.asarray(counted[-1] - counted[below])


def accuracy_steps(
    radii: NDArray[np.float64], correct: NDArray[np.bool_], weights: Weights = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the exact curve of certified accuracy: every radius at which it falls.

    Between two of the radii the share is that of the right one, which it still includes; beyond the last it
    is 0.

    Args:
        radii: Certified radii in input units, float64[image].
        correct: Whether the prediction is the label, bool[image].
        weights: Images an entry stands for, int64[image]; None for one each.

    Returns:
        Rising radii beginning with 0, and the share certified at each.
    """
    at = np.unique(np.concatenate([[0.0], radii[correct]]))
    return at, certified_accuracy(radii, correct, at.tolist(), weights)


def image_sampling_interval(
    counts: NDArray[np.int64], num_images: int, delta: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far chance in the draw of the test images may have moved an observed accuracy.

    A two-sided Clopper-Pearson interval at each radius by itself, for the share *observed as certified* in
    the population; it leaves the certificates' own errors out, and is no guarantee for many radii at once.

    Args:
        counts: Images certified and correct, int64[radius].
        num_images: Images of the run.
        delta: Failure probability of one interval, in (0, 1).

    Returns:
        Lower and upper ends, float64[radius], in [0, 1].
    """
    return (
        clopper_pearson_lower(counts, num_images, delta / 2),
        clopper_pearson_upper(counts, num_images, delta / 2),
    )


def radius_grid(max_radius: float, step: float = STEP) -> list[float]:
    """Return 0, step, 2 step ... up to and including the first radius that nothing can reach."""
    return [round(step * i, 10) for i in range(int(max_radius / step) + 2)]
