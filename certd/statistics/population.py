"""Say what a run guarantees about the population its images were drawn from.

Common to all statements: image and label are drawn, the certified radius R is computed, and T is the radius
the image truly has; both count as below zero where the class is wrong. For one image ``P(R >= t) <= alpha``
whenever ``T < t``. Averaging over images, with H(t) = P(R >= t) and G(t) = P(T >= t)::

    H(t) <= G(t) + alpha (1 - G(t)),    hence    G(t) >= (H(t) - alpha) / (1 - alpha)

H is estimated from independent observations, one an image, and that is where independent images *and*
independent noise across images are needed. G is the certified accuracy of the classifier, no mere estimate's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from certd.statistics.bands import berk_jones_lower, dkw_half_width, dkw_one_sided_width
from certd.statistics.betting import betting_lower
from certd.statistics.clopper_pearson import clopper_pearson_lower, floor_to
from certd.statistics.domain import require_count, require_inside, require_within
from certd.statistics.statement import INDEPENDENT_IMAGES, Statement

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

ROUNDING = 1e-12


def accuracy_at_radius(certified: int, m: int, alpha: float, delta: float) -> Statement:
    """State the population's certified accuracy at one radius, declared before the run.

    Assumes independent images and independent noise across images.

    Args:
        certified: Images certified and correct at the radius, in ``[0, m]``.
        m: Images, at least 1, counting those that abstain or are wrong.
        alpha: Failure probability of each certificate, in (0, 1).
        delta: Failure probability of the statement, in (0, 1).

    Returns:
        The statement; one accuracy, rounded down.

    Raises:
        InvalidParameter: If an argument lies outside its domain.

    References:
        Clopper and Pearson (1934), Biometrika 26.
    """
    observed = np.array([clopper_pearson_lower(certified, m, delta)])
    return _accuracy("population-accuracy", observed, alpha, delta, "the one declared radius")


def accuracy_curve_dkw(certified: NDArray[np.integer], m: int, alpha: float, delta: float) -> Statement:
    """State the population's certified accuracy at all radii at once, by a band of constant width.

    Assumes independent images and independent noise across images.

    Args:
        certified: Images certified and correct at each radius asked for, int[radius], in ``[0, m]``.
        m: Images, at least 1, counting those that abstain or are wrong.
        alpha: Failure probability of each certificate, in (0, 1).
        delta: Failure probability of the statement, in (0, 1/2).

    Returns:
        The statement; one accuracy a radius, rounded down.

    Raises:
        InvalidParameter: If an argument lies outside its domain.

    References:
        Massart (1990), Annals of Probability 18.
    """
    require_count("m", m)
    observed = require_within("certified", certified, 0, m) / m - dkw_one_sided_width(m, delta)
    return _accuracy("population-curve-dkw", observed, alpha, delta, "every radius at once")


def accuracy_curve_berk_jones(
    certified: NDArray[np.integer], m: int, alpha: float, delta: float
) -> Statement:
    """State the same by the Berk-Jones band, closer than DKW's near accuracies of 0 and 1.

    Assumes independent images and independent noise across images.

    Args:
        certified: Images certified and correct at each radius asked for, int[radius], in ``[0, m]``.
        m: Images, 1 to 50,000, counting those that abstain or are wrong.
        alpha: Failure probability of each certificate, in (0, 1).
        delta: Failure probability of the statement, in (0, 1/2).

    Returns:
        The statement; one accuracy a radius, rounded down.

    Raises:
        InvalidParameter: If an argument lies outside its domain.

    References:
        Moscovich, Nadler and Spiegelman (2016), arXiv:1311.3190.
    """
    observed = np.atleast_1d(berk_jones_lower(certified, m, delta))
    return _accuracy("population-curve-berk-jones", observed, alpha, delta, "every radius at once")


def average_certified_radius(
    radii: ArrayLike,
    largest: float,
    alpha: float,
    delta: float,
    order: NDArray[np.integer] | None = None,
) -> Statement:
    """State a lower bound on the population's average certified radius.

    Betting bounds E[R] over the images and their noise. The guarantee is about the true radii: integrating
    ``G >= (H - alpha) / (1 - alpha)`` from 0 to the largest radius R_max gives

        E[min(T, R_max)] >= (E[R] - alpha R_max) / (1 - alpha),

    and E[T] is no smaller. A central-limit interval around the mean guarantees nothing and is not offered.
    Assumes independent images and independent noise across images.

    Args:
        radii: Certified radius of each image in input units, 0 where wrong or abstained, in dataset order.
        largest: The largest radius the plan can certify, known beforehand, input units, positive.
        alpha: Failure probability of each certificate, in (0, 1).
        delta: Failure probability of the statement, in (0, 1).
        order: As for :func:`certd.statistics.betting.betting_lower`.

    Returns:
        The statement; one radius in input units, rounded down.

    Raises:
        InvalidParameter: If an argument lies outside its domain.

    References:
        Waudby-Smith and Ramdas (2024), arXiv:2010.09686.
    """
    observed = np.array([betting_lower(radii, largest, delta, order) / largest])
    radius = largest * float(_true_share(observed, alpha)[0]) * (1 - ROUNDING)
    return Statement(
        "population-average-radius",
        (radius,),
        1 - delta,
        f"With probability {1 - delta:g} the average robust radius over the population, wrong images "
        f"counting 0, is at least {floor_to(radius, 4):g}. {INDEPENDENT_IMAGES} "
        "The order of the images was fixed beforehand.",
    )


def vote_share_distribution(m: int, delta: float) -> Statement:
    """State how far the empirical distribution of the vote shares k/n may lie from the population's.

    It concerns the shares as observed with n draws, not the probabilities they estimate. Assumes independent
    images and independent noise across images.

    Args:
        m: Images, at least 1.
        delta: Failure probability of the statement, in (0, 1).

    Returns:
        The statement; its value is the band's half width, rounded up.

    Raises:
        InvalidParameter: If an argument lies outside its domain.
    """
    width = dkw_half_width(m, delta)
    return Statement(
        "vote-share-distribution",
        (width,),
        1 - delta,
        f"With probability {1 - delta:g} the population's distribution function of the vote share, at "
        f"this number of draws, lies everywhere within {-floor_to(-width, 4):g} of the one shown. "
        f"{INDEPENDENT_IMAGES}",
    )


def _accuracy(name: str, observed: NDArray[np.float64], alpha: float, delta: float, where: str) -> Statement:
    return Statement(
        name,
        tuple(_true_share(observed, alpha).tolist()),
        1 - delta,
        f"With probability {1 - delta:g} the certified accuracy over the population is at least as stated at "
        f"{where}, certificates that are false with probability {alpha:g} allowed for. {INDEPENDENT_IMAGES}",
    )


def _true_share(observed: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """Turn a bound on how often images are certified into one on how often they are robust."""
    require_inside("alpha", alpha)
    return np.maximum((observed - alpha) / (1 - alpha) - ROUNDING, 0.0)
