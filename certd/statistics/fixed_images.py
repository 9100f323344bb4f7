"""Say what the certificates of a run guarantee about exactly the images that were certified."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from certd.statistics.domain import require_count, require_inside, require_within
from certd.statistics.simultaneous import SAFETY, any_false_probability, false_certificates_quantile
from certd.statistics.statement import INDEPENDENT_NOISE, Statement

if TYPE_CHECKING:
    from numpy.typing import NDArray


def all_certificates_hold(m: int, alpha: float) -> Statement:
    """State with which probability every certificate of the run is true: hardly any, when images are many.

    Assumes independent noise across images.

    Args:
        m: Images, at least 1, counting those that abstain.
        alpha: Failure probability of each certificate, in (0, 1).

    Returns:
        The statement; its level is ``(1 - alpha)**m`` rounded down, and it has no values.
    """
    level = max(0.0, 1.0 - any_false_probability(m, alpha))
    return Statement(
        "all-certificates",
        (),
        level,
        f"That all certificates of these {m} images are true is guaranteed with probability "
        f"{level:.3g} only: each may be false with probability {alpha:g}. {INDEPENDENT_NOISE}",
    )


def accuracy_of_these_images(
    certified: NDArray[np.integer], m: int, alpha: float, probability: float = 0.999
) -> Statement:
    """State the true certified accuracy of these very images, at all radii at once.

    At every radius the count of images that are truly robust falls short of the count certified by no more
    than the number of false certificates, and that number has a binomial quantile. Assumes independent noise
    across images.

    Args:
        certified: Images certified and correct at each radius asked for, int[radius], in ``[0, m]``.
        m: Images, at least 1, counting those that abstain or are wrong.
        alpha: Failure probability of each certificate, in (0, 1).
        probability: Level of the statement, in (0, 1).

    Returns:
        The statement; one accuracy a radius, rounded down.

    Raises:
        InvalidParameter: If an argument lies outside its domain.
    """
    false = false_certificates_quantile(m, alpha, probability)
    return Statement(
        "certified-accuracy-of-these-images",
        _accuracies(certified, m, false / m),
        probability,
        f"With probability {probability:g} at most {false} of the {m} certificates are false, so at every "
        f"radius at once the certified accuracy of these images is at least the fraction certified less "
        f"{false}/{m}. {INDEPENDENT_NOISE}",
    )


def accuracy_of_these_images_bernstein(
    certified: NDArray[np.integer], m: int, alpha: float, rho: float
) -> Statement:
    """State the same by Bernstein's inequality, as Cohen et al. do; the exact quantile is never worse.

    The fraction of false certificates exceeds ``alpha + sqrt(2 alpha (1 - alpha) ln(1/rho) / m) +
    ln(1/rho) / (3m)`` with probability at most rho. The 2 under the root is needed: without it the bound
    fails with probability 0.0016 for m = 10,000 and alpha = rho = 0.001. Assumes independent noise across
    images.

    Args:
        certified: Images certified and correct at each radius asked for, int[radius], in ``[0, m]``.
        m: Images, at least 1, counting those that abstain or are wrong.
        alpha: Failure probability of each certificate, in (0, 1/2).
        rho: Failure probability of the statement, in (0, 1).

    Returns:
        The statement; one accuracy a radius, rounded down.

    Raises:
        InvalidParameter: If an argument lies outside its domain.

    References:
        Cohen, Rosenfeld and Kolter (2019), arXiv:1902.02918, appendix B; Boucheron, Lugosi and Massart
        (2013), section 2.8.
    """
    require_inside("alpha", alpha, upper=0.5)
    require_inside("rho", rho)
    require_count("m", m)
    log = -math.log(rho) / m
    false_share = alpha + math.sqrt(2 * alpha * (1 - alpha) * log) + log / 3
    return Statement(
        "certified-accuracy-of-these-images-bernstein",
        _accuracies(certified, m, false_share),
        1 - rho,
        f"With probability {1 - rho:g} at most a fraction {false_share:.3g} of the {m} certificates is "
        f"false, so at every radius at once the certified accuracy of these images is at least the fraction "
        f"certified less that. {INDEPENDENT_NOISE}",
    )


def _accuracies(certified: NDArray[np.integer], m: int, false_share: float) -> tuple[float, ...]:
    fractions = require_within("certified", certified, 0, m) / m
    return tuple(np.maximum(fractions - false_share - SAFETY, 0.0).tolist())
