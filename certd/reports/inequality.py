"""How unequally the average certified radius is earned: easy images carry it, hard ones do not count."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from certd.reports.weighted import Weights


def easy_share(
    credited: NDArray[np.float64], shares: NDArray[np.float64], least: float, weights: Weights = None
) -> float:
    """Return the part of ACR that comes from images with ``k/n >= least``.

    Args:
        credited: Radius where certified for the label, 0 elsewhere, input units, float64[image].
        shares: k/n of the tested class, float64[image].
        least: From which share an image counts as easy, in [0, 1].
        weights: Images an entry stands for, int64[image]; None for one each.

    Returns:
        In [0, 1]; 0 where no image is certified for its label.
    """
    # Sums that are rounded once, so that a part never comes out larger than the whole.
    earned = credited if weights is None else credited * weights
    total = math.fsum(earned)
    return math.fsum(earned[shares >= least]) / total if total else 0.0


def uniform_easy_share(least: float) -> float:
    """Return the easy share if pA were uniform on (0, 1) and the budget infinite: a yardstick.

    The integral of Phi^-1 from q to 1 is phi(Phi^-1(q)); that from 1/2 is ACR / sigma = .398942.

    Args:
        least: In [1/2, 1).
    """
    z = float(ndtri(least))
    return math.exp(-z * z / 2)


def lorenz_curve(
    credited: NDArray[np.float64], weights: Weights = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return which share of the summed radius the images of smallest radius hold.

    Args:
        credited: Radius where certified for the label, 0 elsewhere, float64[image].
        weights: Images an entry stands for, int64[image]; None for one each.

    Returns:
        Shares of images and of radius, float64[image + 1] each, from 0 to 1. The diagonal is equality. Where
        every radius is 0 all are equal, and the curve is the diagonal.
    """
    order = np.argsort(credited, kind="stable")
    times = np.ones(len(credited), np.int64) if weights is None else weights[order]
    counted = np.concatenate([[0], np.cumsum(times)])
    images, earned = counted / counted[-1], np.cumsum(credited[order] * times)
    total = earned[-1]
    if total == 0:
        return images, images
    return images, np.concatenate([[0.0], np.minimum(earned / total, 1.0)])
