"""How unequally the average certified radius is earned: easy images carry it, hard ones do not count."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

if TYPE_CHECKING:
    from numpy.typing import NDArray


def easy_share(credited: NDArray[np.float64], shares: NDArray[np.float64], least: float) -> float:
    """Return the part of ACR that comes from images with ``k/n >= least``.

    Args:
        credited: Radius where certified for the label, 0 elsewhere, input units, float64[image].
        shares: k/n of the tested class, float64[image].
        least: From which share an image counts as easy, in [0, 1].

    Returns:
        In [0, 1]; 0 where no image is certified for its label.
    """
    # Sums that are rounded once, so that a part never comes out larger than the whole.
    total = math.fsum(credited)
    return math.fsum(credited[shares >= least]) / total if total else 0.0


def uniform_easy_share(least: float) -> float:
    """Return the easy share if pA were uniform on (0, 1) and the budget infinite: a yardstick.

    The integral of Phi^-1 from q to 1 is phi(Phi^-1(q)); that from 1/2 is ACR / sigma = .398942.

    Args:
        least: In [1/2, 1).
    """
    z = float(ndtri(least))
    return math.exp(-z * z / 2)


def lorenz_curve(credited: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return which share of the summed radius the images of smallest radius hold.

    Args:
        credited: Radius where certified for the label, 0 elsewhere, float64[image].

    Returns:
        Shares of images and of radius, float64[image + 1] each, from 0 to 1. The diagonal is equality. Where
        every radius is 0 all are equal, and the curve is the diagonal.
    """
    images = np.arange(len(credited) + 1) / len(credited)
    total = credited.sum()
    if total == 0:
        return images, images
    return images, np.concatenate([[0.0], np.minimum(np.cumsum(np.sort(credited)) / total, 1.0)])
