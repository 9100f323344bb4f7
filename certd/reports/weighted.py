"""Means, quantiles and shares over images of which equal ones are kept once, with how many there are.

Without weights each entry is one image, and the numbers are those of numpy, bit for bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import ArrayLike, NDArray

    Weights: TypeAlias = NDArray[np.int64] | None


def size(values: NDArray[np.generic], weights: Weights) -> int:
    """Return how many images there are."""
    return len(values) if weights is None else int(weights.sum())


def count(chosen: NDArray[np.bool_], weights: Weights) -> int:
    """Return how many images are chosen."""
    return int(chosen.sum()) if weights is None else int(weights[chosen].sum())


def total(values: NDArray[np.generic], weights: Weights) -> float:
    """Return the sum over the images."""
    return float(values.sum() if weights is None else np.dot(values, weights.astype(np.float64)))


def mean(values: NDArray[np.generic], weights: Weights) -> float:
    """Return the mean over the images."""
    return float(values.mean()) if weights is None else total(values, weights) / int(weights.sum())


def lower_quantiles(values: NDArray[np.float64], at: ArrayLike, weights: Weights) -> NDArray[np.float64]:
    """Return quantiles, each rounded down to the value of an actual image.

    Args:
        values: float64[row].
        at: Which quantiles, in [0, 1].
        weights: Images a row, int64[row]; None for one each.

    Returns:
        float64, one a quantile, as ``numpy.quantile(..., method="lower")`` of every image.
    """
    if weights is None:
        return np.quantile(values, np.atleast_1d(np.asarray(at, np.float64)), method="lower")
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    place = np.floor(np.atleast_1d(np.asarray(at, np.float64)) * (reached[-1] - 1)).astype(np.int64)
    found: NDArray[np.float64] = values[order][np.searchsorted(reached, place, side="right")]
    return found


def share_at_or_below(
    values: NDArray[np.float64], at: NDArray[np.float64], weights: Weights
) -> NDArray[np.float64]:
    """Return the share of the images whose value is at most each of ``at``; float64, one a point."""
    if weights is None:
        return np.searchsorted(np.sort(values), at, side="right") / len(values)
    order = np.argsort(values, kind="stable")
    reached = np.concatenate([[0], np.cumsum(weights[order])])
    return np.asarray(reached[np.searchsorted(values[order], at, side="right")] / reached[-1])


def tally(places: NDArray[np.int64], length: int, weights: Weights) -> NDArray[np.int64]:
    """Return how many images have each place; int64, at least ``length`` long."""
    if weights is None:
        return np.bincount(places, minlength=length)
    # Sums of whole numbers below 2**53 are exact in float64.
    return np.bincount(places, weights, minlength=length).astype(np.int64)
