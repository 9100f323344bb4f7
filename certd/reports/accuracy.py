"""Certified accuracy and abstention: shares over all images of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def certified_accuracy(
    radii: NDArray[np.float64], correct: NDArray[np.bool_], at: float | Sequence[float]
) -> NDArray[np.float64]:
    """Return the share of images that are correct and certified at each radius, inclusive.

    Args:
        radii: Certified radii in input units, float64[image]; 0 for an abstention.
        correct: Whether the prediction is the label, bool[image]; False for an abstention.
        at: Radii to read the curve at, in input units. At 0 every correct certified image counts.

    Returns:
        float64[radius] in [0, 1]. Abstentions stay in the denominator.

    References:
        Cohen, Rosenfeld and Kolter (2019), arXiv:1902.02918, section 4.
    """
    grid = np.atleast_1d(np.asarray(at, dtype=np.float64))
    reached = (radii[None, :] >= grid[:, None]) & correct[None, :]
    return np.asarray(reached.mean(axis=1), dtype=np.float64)


def radius_grid(max_radius: float, step: float = 0.25) -> list[float]:
    """Return 0, step, 2 step ... up to and including the first radius that nothing can reach."""
    return [round(step * i, 10) for i in range(int(max_radius / step) + 2)]
