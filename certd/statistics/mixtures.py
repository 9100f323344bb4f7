"""Radii of a mixture of an unprotected classifier g with a smoothed one h, from bounds on h alone.

The mixture answers ``argmax_c (1 - a) g_c + a h_c`` with probabilities g and h and a weight ``a >= 1/2``.
Let ``mu = (1 - a) / a``. Where ``h_y - h_i > mu`` for every other class i, the mixture answers y whatever g
says, for ``g_i - g_y`` is at most one. A radius within which the smoothed probabilities keep that margin is
therefore one within which nothing changes the answer, and it needs no draw of g.

References:
    Bai, Anderson, Kim and Sojoudi (2023), Improving the accuracy-robustness trade-off of classifiers via
    adaptive smoothing, arXiv:2301.12554, theorems on Lipschitz and randomized smoothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from certd.errors import CannotCertify, InvalidParameter
from certd.statistics.domain import require_inside, require_within
from certd.statistics.probit import probit_down, probit_up

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from certd.statistics.mixture_bounds import HeldProbabilities

LEAST_WEIGHT = 0.5
# What two normal distribution functions and their difference may be off by, many times over.
ROUNDING = 1e-12
BISECTIONS = 50
TIGHT_LIPSCHITZ = 1 / math.sqrt(2 * math.pi)
"""Times ``1 / sigma``: how fast a Gaussian-smoothed probability can change in l2."""
PUBLISHED_LIPSCHITZ = 2 * TIGHT_LIPSCHITZ
"""What the authors' code takes for it; true, and half of the radius."""


def least_margin(weight: float) -> float:
    """Return ``mu``: the margin of h above which the mixture answers as h does; never rounded down.

    Args:
        weight: Share a of h, in [1/2, 1]; where it varies with the input, the least that it can be.

    Raises:
        InvalidParameter: If the weight is outside its domain; below one half g alone can decide.
    """
    a = float(require_within("weight", weight, LEAST_WEIGHT, 1.0)[0])
    return math.nextafter((1 - a) / a, 1.0) if a < 1 else 0.0


def mixture_radius(held: HeldProbabilities, weight: float, sigma: float) -> float:
    """Return the l2 radius within which a mixture keeps its answer: the greatest that these bounds prove.

    Under Gaussian noise ``Phi^-1(h_c)`` changes by at most ``1 / sigma`` per unit of l2. At distance
    ``sigma t`` the margin of h is thus at least ``Phi(A - t) - Phi(B + t)`` with ``A = Phi^-1(lower)`` and
    ``B = Phi^-1(runner_up)``. That falls in t; the radius is sigma times where it meets ``mu``. A half-space
    attains both, so under the worst g no larger radius holds.

    Args:
        held: Bounds on h under the very law of the theorem; widen those of quantized noise first.
        weight: Least share of h, in [1/2, 1].
        sigma: Standard deviation of the noise, input units.

    Returns:
        The radius in input units, 0 where nothing is proved. Never rounded up.

    Raises:
        InvalidParameter: If an argument is outside its domain.
    """
    require_inside("sigma", sigma, upper=math.inf)
    mu = least_margin(weight)
    top, next_best = probit_down(held.lower), probit_up(held.runner_up)

    def holds(t: float) -> bool:
        return float(ndtr(top - t) - ndtr(next_best + t)) > mu + ROUNDING

    if not (math.isfinite(top) and holds(0.0)):
        return 0.0
    low, high = 0.0, top + 40.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return math.nextafter(sigma * low, 0.0)


def published_smoothing_radius(held: HeldProbabilities, weight: float, sigma: float) -> float:
    """Return the paper's radius by smoothing, for comparison; :func:`mixture_radius` is no smaller.

    ``sigma / 2 [Phi^-1(a lower) - Phi^-1(a runner_up + 1 - a)]``, or 0 where that is negative.

    Args:
        held: As in :func:`mixture_radius`.
        weight: Least share of h, in [1/2, 1].
        sigma: Standard deviation of the noise, input units.
    """
    a = float(require_within("weight", weight, LEAST_WEIGHT, 1.0)[0])
    ahead = probit_down(math.nextafter(a * held.lower, 0.0))
    behind = probit_up(min(1.0, math.nextafter(a * held.runner_up + 1 - a, 2.0)))
    found = sigma / 2 * (ahead - behind)
    return math.nextafter(found, 0.0) if found > 0 else 0.0


def published_lipschitz_radius(
    held: HeldProbabilities, weight: float, sigma: float, lipschitz: float = PUBLISHED_LIPSCHITZ
) -> float:
    """Return the paper's radius by Lipschitz constants, for comparison.

    ``[a (lower - runner_up) + a - 1] / [a (L + L)]``, or 0 where that is negative.

    Args:
        held: As in :func:`mixture_radius`.
        weight: Least share of h, in [1/2, 1].
        sigma: Standard deviation of the noise, input units.
        lipschitz: L times sigma; ``TIGHT_LIPSCHITZ`` gives twice the radius of the authors' constant.
    """
    margin = held.lower - held.runner_up - least_margin(weight) - ROUNDING
    return max(0.0, math.nextafter(sigma * margin / (2 * lipschitz), 0.0))


def margin_at(held: HeldProbabilities, radius: float, sigma: float) -> float:
    """Return the least margin of h between the predicted class and any other within an l2 radius.

    Args:
        held: As in :func:`mixture_radius`.
        radius: In input units, at least 0.
        sigma: Standard deviation of the noise, input units.

    Returns:
        ``Phi(A - radius / sigma) - Phi(B + radius / sigma)``, in [-1, 1], never rounded up.
    """
    require_inside("sigma", sigma, upper=math.inf)
    t = require_within("radius", radius, 0.0, math.inf)[0] / sigma
    margin = ndtr(probit_down(held.lower) - t) - ndtr(probit_up(held.runner_up) + t)
    return float(margin) - ROUNDING


def weight_for_margin(margin: float) -> float:
    """Return the least weight of h at which a margin suffices: ``1 / (1 + margin)``, never rounded down.

    Args:
        margin: Of h between its two leading classes, in [0, 1].
    """
    m = float(require_within("margin", margin, 0.0, 1.0)[0])
    return min(1.0, math.nextafter(1 / (1 + m), 2.0))


def weight_for_share(margins: ArrayLike, share: float) -> float:
    """Return the least weight of h that keeps a share of images certified at the radius of their margins.

    MixedNUTS' rule ``1 / (1 + quantile_{1 - share}(margin))``. The quantile is one of the margins, not a
    value between two, so no smaller share is kept.

    Args:
        margins: One an image that h alone certifies there, as :func:`margin_at` returns them.
        share: Of these images to keep, in (0, 1].

    Returns:
        The weight, in [1/2, 1].

    Raises:
        InvalidParameter: If the share is outside its domain, or there are no margins.
        CannotCertify: If the quantile is not positive: no weight keeps that share.

    References:
        Bai, Zhou, Patel and Sojoudi (2024), MixedNUTS, arXiv:2402.02263.
    """
    found = np.sort(np.asarray(margins, np.float64))
    if not len(found) or not 0 < share <= 1:
        raise InvalidParameter(
            f"The rule for the weight takes a share in (0, 1] of one margin or more; got {share:g} of "
            f"{len(found)}."
        )
    # One more image than asked for must reach it where the share is no whole number of them.
    kept = math.ceil(share * len(found) * (1 - ROUNDING))
    quantile = float(found[len(found) - max(kept, 1)]) - 2 * ROUNDING
    if quantile <= 0:
        raise CannotCertify(
            f"No weight keeps a share of {share:g} of these images certified at that radius: h itself does "
            "not. Ask for a smaller share or a smaller radius."
        )
    return weight_for_margin(min(quantile, 1.0))
