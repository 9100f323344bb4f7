"""The pA distribution: the main report, since an average hides which images are hard.

Two probabilities are kept apart. The share of the *tested* class carries the certificate; the share of the
*label* says how hard the image is. An image that is wrong with a share of 0.9 has 0.1 at most for its label.

References:
    arXiv:2410.06895, which proposes the distribution of pA in place of the average certified radius.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from certd.reports.weighted import lower_quantiles, share_at_or_below, size, tally
from certd.statistics import clopper_pearson_lower, clopper_pearson_upper
from certd.statistics.bands import dkw_half_width

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from certd.reports.weighted import Weights

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CURVE_GRID = np.arange(500, 1001) / 1000
CURVE_GRID.flags.writeable = False
NUM_BINS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """An empirical distribution function with bounds on the population's.

    Attributes:
        at: Where it is read, float64[point], rising, in [0, 1].
        below: Share of the images at or below each point.
        lower: Bound from below, everywhere at once.
        upper: Bound from above, everywhere at once.
        level: Probability with which the bounds hold.
    """

    at: NDArray[np.float64]
    below: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    level: float


def quantiles(shares: NDArray[np.float64], weights: Weights = None) -> dict[str, float]:
    """Return the quantiles of k/n over the images; each is the share of an actual image, rounded down to one.

    Args:
        shares: k/n, float64[image] in [0, 1].
        weights: Images an entry stands for, int64[image]; None for one each.
    """
    values = lower_quantiles(shares, QUANTILES, weights)
    return {f"{q:g}": float(value) for q, value in zip(QUANTILES, values, strict=True)}


def histogram(
    shares: NDArray[np.float64], num_bins: int = NUM_BINS, weights: Weights = None
) -> NDArray[np.int64]:
    """Count the images in equal bins of [0, 1]; each bin holds its left edge, the last also 1.

    Args:
        shares: k/n, float64[image] in [0, 1].
        num_bins: At least 1.
        weights: Images an entry stands for, int64[image]; None for one each.

    Returns:
        int64[bin], summing to the number of images.
    """
    edges = np.arange(num_bins + 1) / num_bins
    return np.histogram(shares, edges, weights=weights)[0].astype(np.int64)


def share_band(shares: NDArray[np.float64], delta: float, weights: Weights = None) -> Band:
    """Return the distribution function of k/n with a band around it.

    With probability at least ``1 - delta`` the population's distribution function *of k/n at this number of
    draws* lies in the band everywhere, given independent images and noise. For plans that stop early k/n
    leans towards the boundary that stopped it: use :func:`probability_band`.

    Args:
        shares: k/n, float64[image] in [0, 1].
        delta: Failure probability, in (0, 1).
        weights: Images an entry stands for, int64[image]; None for one each.

    References:
        Massart (1990), Annals of Probability 18.
    """
    return _band((shares,) * 3, weights, dkw_half_width(size(shares, weights), delta), 1 - delta)


def probability_band(  # noqa: PLR0913, PLR0917 - counts, how they were made, and what may fail
    counts: NDArray[np.int64],
    draws: NDArray[np.int64],
    looks: int,
    alpha: float,
    delta: float,
    weights: Weights = None,
) -> Band:
    """Return the distribution function of k/n with a band for the probabilities themselves.

    Each image has a two-sided interval that fails with probability at most ``alpha``, whichever of the
    ``looks`` ended its draws (a union bound over them). With U the upper ends, P(U <= x) is at most
    P(p <= x) + alpha / 2, and likewise below; hence the band of the ends, widened by alpha / 2 and DKW, holds
    everywhere with probability at least ``1 - delta``, given independent images and noise.

    Args:
        counts: Hits, int64[image].
        draws: Draws, int64[image].
        looks: Looks at which the draws could have ended, at least 1.
        alpha: Failure probability of an image's interval, in (0, 1).
        delta: Failure probability of the band, in (0, 1).
        weights: Images an entry stands for, int64[image]; None for one each.
    """
    low = clopper_pearson_lower(counts, draws, alpha / 2 / looks)
    high = clopper_pearson_upper(counts, draws, alpha / 2 / looks)
    width = dkw_half_width(size(counts, weights), delta) + alpha / 2
    return _band((counts / draws, low, high), weights, width, 1 - delta)


def correct_share_curve(
    counts: NDArray[np.int64],
    draws: NDArray[np.int64],
    correct: NDArray[np.bool_],
    weights: Weights = None,
) -> NDArray[np.float64]:
    """Return S(x), the share of images that are certified for their label with ``k/n >= x``.

    It reads k/n, not the bound, and compares whole numbers, so no rounding moves an image over a grid point.

    Args:
        counts: Hits of the tested class, int64[image].
        draws: Draws, int64[image].
        correct: Whether the image is certified for its label, bool[image].
        weights: Images an entry stands for, int64[image]; None for one each.

    Returns:
        float64[501], S at x = 0.500, 0.501, ..., 1.000 (``CURVE_GRID``); never rising.
    """
    reached = (1000 * counts // draws)[correct]
    per_mille = tally(np.clip(reached, 499, 1000), 1001, None if weights is None else weights[correct])
    at_least = np.cumsum(per_mille[::-1])[::-1]
    return at_least[500:] / size(counts, weights)


def _band(
    ends: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    weights: Weights,
    width: float,
    level: float,
) -> Band:
    """Evaluate the distribution functions of shares, lower and upper ends where any of them jumps."""
    at = np.unique(np.concatenate([[0.0, 1.0], *ends]))
    below, from_low, from_high = (share_at_or_below(values, at, weights) for values in ends)
    return Band(at, below, np.maximum(from_high - width, 0), np.minimum(from_low + width, 1), level)
