"""What fewer draws would have certified: exact, for draws left out at random are a hypergeometric sample."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln

from certd.reports.budget import radii_of_counts
from certd.reports.weighted import mean, tally

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from certd.reports.weighted import Weights
    from certd.smoothing.guarantee import Guarantee

# Standard deviations beyond which a hit count is left out: below 1e-20 of the mass.
REACH = 10


def reduced_average_radius(  # noqa: PLR0913, PLR0917 - counts, two budgets, and what a count proves
    counts: NDArray[np.int64],
    draws: int,
    fewer: int,
    alpha: float,
    guarantee: Guarantee,
    weights: Weights = None,
) -> float:
    """Return the expected ACR had only ``fewer`` of the draws been made.

    Args:
        counts: Hits of the tested class where it is the label, 0 elsewhere, int64[image].
        draws: Draws of every image.
        fewer: Draws kept, in [1, draws].
        alpha: Failure probability, in (0, 1).
        guarantee: Noise, norm and shape.
        weights: Images an entry stands for, int64[image]; None for one each.

    Returns:
        Input units; the mean over all ways to leave draws out, not an estimate.
    """
    if fewer == draws:
        return mean(radii_of_counts(counts, draws, alpha, guarantee), weights)
    return _mean_over_images(counts, draws, _radius_table(fewer, alpha, guarantee), weights)


def reduced_accuracy(counts: NDArray[np.int64], draws: int, fewer: int, least: int | None) -> float:
    """Return the expected certified accuracy had only ``fewer`` of the draws been made.

    Args:
        counts: Hits of the tested class where it is the label, 0 elsewhere, int64[image].
        draws: Draws of every image.
        fewer: Draws kept, in [1, draws].
        least: The count that certifies the radius with ``fewer`` draws, from
            :func:`certd.reports.budget.least_count`; None where none does.
    """
    if least is None:
        return 0.0
    return _mean_over_images(counts, draws, (np.arange(fewer + 1) >= least).astype(np.float64))


@lru_cache(maxsize=16)
def _radius_table(draws: int, alpha: float, guarantee: Guarantee) -> NDArray[np.float64]:
    return radii_of_counts(np.arange(draws + 1), draws, alpha, guarantee)


def _mean_over_images(
    counts: NDArray[np.int64], draws: int, values: NDArray[np.float64], weights: Weights = None
) -> float:
    distinct, place = np.unique(counts, return_inverse=True)
    images = tally(place, len(distinct), weights)
    expected = [_subsampled(int(count), draws, values) for count in distinct]
    return float(np.dot(expected, images) / images.sum())


def _subsampled(count: int, draws: int, values: NDArray[np.float64]) -> float:
    """Return the mean of ``values[hits]`` over the ways to keep ``len(values) - 1`` of the draws."""
    fewer, share = len(values) - 1, count / draws
    spread = REACH * np.sqrt(fewer * share * (1 - share)) + REACH
    low = max(0, fewer - (draws - count), int(fewer * share - spread))
    high = min(fewer, count, int(fewer * share + spread))
    if not values[high]:
        return 0.0  # values never fall
    hits = np.arange(low, high + 1)
    misses = fewer - hits
    left_out = gammaln(count - hits + 1) + gammaln(draws - count - misses + 1)
    log_mass = -(gammaln(hits + 1) + gammaln(misses + 1) + left_out)
    mass = np.exp(log_mass - log_mass.max())
    return float(np.dot(mass, values[low : high + 1]) / mass.sum())
