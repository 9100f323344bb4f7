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

from certd.statistics import clopper_pearson_lower, clopper_pearson_upper
from certd.statistics.bands import dkw_half_width

if TYPE_CHECKING:
    from numpy.typing import NDArray

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


def quantiles(shares: NDArray[np.float64]) -> dict[str, float]:
    """Return the quantiles of k/n over the images; each is the share of an actual image, rounded down to one.

    Args:
        shares: k/n, float64[image] in [0, 1].
    """
    values = np.quantile(shares, QUANTILES, method="lower")
    return {f"{q:g}": float(value) for q, value in zip(QUANTILES, values, strict=True)}


def histogram(shares: NDArray[np.float64], num_bins: int = NUM_BINS) -> NDArray[np.int64]:
    """Count the images in equal bins of [0, 1]; each bin holds its left edge, the last also 1.

    Args:
        shares: k/n, float64[image] in [0, 1].
        num_bins: At least 1.

    Returns:
        int64[bin], summing to the number of images.
    """
    edges = np.arange(num_bins + 1) / num_bins
    return np.histogram(shares, edges)[0].astype(np.int64)


def share_band(shares: NDArray[np.float64], delta: float) -> Band:
    """Return the distribution function of k/n with a band around it.

    With probability at least ``1 - delta`` the population's distribution function *of k/n at this number of
    draws* lies in the band everywhere, given independent images and noise. For plans that stop early k/n
    leans towards the boundary that stopped it: use :func:`probability_band`.

    Args:
        shares: k/n, float64[image] in [0, 1].
        delta: Failure probability, in (0, 1).

    References:
        Massart (1990), Annals of Probability 18.
    """
    return _band(shares, shares, shares, dkw_half_width(len(shares), delta), 1 - delta)


def probability_band(
    counts: NDArray[np.int64], draws: NDArray[np.int64], looks: int, alpha: float, delta: float
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
    """
    low = clopper_pearson_lower(counts, draws, alpha / 2 / looks)
    high = clopper_pearson_upper(counts, draws, alpha / 2 / looks)
    return _band(counts / draws, low, high, dkw_half_width(len(counts), delta) + alpha / 2, 1 - delta)


def correct_share_curve(
    counts: NDArray[np.int64], draws: NDArray[np.int64], correct: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return S(x), the share of images that are certified for their label with ``k/n >= x``.

    It reads k/n, not the bound, and compares whole numbers, so no rounding moves an image over a grid point.

    Args:
        counts: Hits of the tested class, int64[image].
        draws: Draws, int64[image].
        correct: Whether the image is certified for its label, bool[image].

    Returns:
        float64[501], S at x = 0.500, 0.501, ..., 1.000 (``CURVE_GRID``); never rising.
    """
    reached = (1000 * counts // draws)[correct]
    per_mille = np.bincount(np.clip(reached, 499, 1000), minlength=1001)
    at_least = np.cumsum(per_mille[::-1])[::-1]
    return at_least[500:] / len(counts)


def _band(
    shares: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    width: float,
    level: float,
) -> Band:
    """Evaluate three distribution functions where any of them jumps, and at both ends."""
    at = np.unique(np.concatenate([[0.0, 1.0], shares, low, high]))
    below, from_low, from_high = (_below(values, at) for values in (shares, low, high))
    return Band(at, below, np.maximum(from_high - width, 0), np.minimum(from_low + width, 1), level)


def _below(values: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.searchsorted(np.sort(values), at, side="right") / len(values)
