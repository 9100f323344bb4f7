"""The average certified radius (ACR)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def average_certified_radius(radii: NDArray[np.float64], correct: NDArray[np.bool_]) -> float:
    """Return the mean over all images of the radius where the prediction is correct, and 0 elsewhere.

    It equals the area under the certified-accuracy curve. It grows with the budget without bound and is
    dominated by easy images (arXiv:2410.06895): never show it without its sigma, n and alpha.

    Args:
        radii: Certified radii in input units, float64[image].
        correct: Whether the prediction is the label, bool[image].

    Returns:
        The average, in input units.
    """
    return float(np.where(correct, radii, 0.0).mean())
