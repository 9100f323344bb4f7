"""The average certified radius (ACR), with its defects in sight."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import log_ndtr, ndtri

from certd.errors import InvalidParameter
from certd.reports.weighted import mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from certd.reports.weighted import Weights
    from certd.smoothing.guarantee import Guarantee

MOST_DRAWS = 1e15


def average_certified_radius(
    radii: NDArray[np.float64], correct: NDArray[np.bool_], weights: Weights = None
) -> float:
    """Return the mean over all images of the radius where the prediction is correct, and 0 elsewhere.

    It equals the area under the certified-accuracy curve. It grows with the budget without bound and is
    dominated by easy images (arXiv:2410.06895): never show it without its sigma, n and alpha.

    Args:
        radii: Certified radii in input units, float64[image].
        correct: Whether the prediction is the label, bool[image].
        weights: Images an entry stands for, int64[image]; None for one each.

    Returns:
        The average, in input units.
    """
    return mean(np.where(correct, radii, 0.0), weights)


def trivial_average_radius(share: float, draws: int, alpha: float, guarantee: Guarantee) -> float:
    """Return the ACR of the classifier that always returns the most frequent class.

    Every draw agrees, so each image of that class has the largest radius. What a classifier reaches beyond
    this it owes to more than its budget.

    Args:
        share: Of the images, in the most frequent class; at least 1/K.
        draws: Estimation draws n of the fixed plan.
        alpha: Failure probability, in (0, 1).
        guarantee: Noise, norm and shape.

    References:
        arXiv:2410.06895, theorem 1.
    """
    return share * guarantee.bound(draws, draws, alpha).radius


def draws_for_trivial(average_radius: float, num_classes: float, sigma: float, alpha: float) -> int | None:
    """Return a budget at which the constant classifier exceeds an ACR, under Gaussian noise in l2.

    Args:
        average_radius: The ACR M to exceed, input units, positive.
        num_classes: K for balanced classes; otherwise one over the share of the most frequent.
        sigma: Noise level, input units, positive.
        alpha: Failure probability, in (0, 1).

    Returns:
        ``ceil(ln alpha / ln Phi(M K / sigma)) + 1``; None beyond what anyone could draw.

    Raises:
        InvalidParameter: If an argument lies outside its domain.

    References:
        arXiv:2410.06895, theorem 1.
    """
    if not (average_radius > 0 and sigma > 0 and num_classes >= 1 and 0 < alpha < 1):
        raise InvalidParameter("A trivial baseline needs an ACR and a sigma above 0 and an alpha in (0, 1).")
    log_share = float(log_ndtr(average_radius * num_classes / sigma))
    beyond = log_share > math.log(alpha) / MOST_DRAWS
    return None if beyond else math.ceil(math.log(alpha) / log_share) + 1


def sensitivity(probability: float, sigma: float) -> float:
    """Return dR/dp, the radius that a unit of pA is worth under Gaussian noise in l2.

    Near pA = 1 it grows without bound: a vote there is worth hundreds near 1/2.

    Args:
        probability: pA, in (0, 1).
        sigma: Noise level, input units.

    Returns:
        ``sigma / phi(Phi^-1(p))``, input units.
    """
    z = float(ndtri(probability))
    return sigma * math.sqrt(2 * math.pi) * math.exp(z * z / 2)
