"""Bound a whole distribution function at once from a sample of independent values."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from certd.statistics.clopper_pearson import clopper_pearson_lower
from certd.statistics.crossing import crossing_probability
from certd.statistics.domain import require_count, require_inside

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_IMAGES = 50_000
TOLERANCE = 1e-4


def dkw_half_width(m: int, delta: float) -> float:
    """Return the half width of a two-sided band around an empirical distribution function.

    With probability at least ``1 - delta`` the true distribution function lies within it everywhere.

    Args:
        m: Independent, identically distributed values, at least 1.
        delta: Failure probability, in (0, 1).

    Returns:
        ``sqrt(ln(2 / delta) / (2 m))``; never rounded down. It may exceed 1, and then says nothing.

    Raises:
        InvalidParameter: If an argument lies outside its domain.

    References:
        Massart (1990), Annals of Probability 18, corollary 1.
    """
    require_inside("delta", delta)
    return _dkw(m, delta / 2)


def dkw_one_sided_width(m: int, delta: float) -> float:
    """Return how far an empirical survival curve may lie above the true one.

    With probability at least ``1 - delta`` it lies no further above it anywhere.

    Args:
        m: Independent, identically distributed values, at least 1.
        delta: Failure probability, in (0, 1/2): Massart's constant is proved there only.

    Returns:
        ``sqrt(ln(1 / delta) / (2 m))``; never rounded down.

    Raises:
        InvalidParameter: If an argument lies outside its domain.

    References:
        Massart (1990), Annals of Probability 18, theorem 1.
    """
    require_inside("delta", delta, upper=0.5)
    return _dkw(m, delta)


def berk_jones_lower(at_least: NDArray[np.integer], m: int, delta: float) -> NDArray[np.float64]:
    """Bound a survival curve from below everywhere at once, tightly where it nears 0 or 1.

    With probability at least ``1 - delta``, ``P(X >= t)`` is no smaller than the bound for every t at once,
    for any law, continuous or not. Each bound is Clopper-Pearson's at one common level, chosen so that all
    of them hold together.

    Args:
        at_least: For each t of interest, how many of the values are at least t, in ``[0, m]``.
        m: Independent, identically distributed values, 1 to 50,000.
        delta: Failure probability, in (0, 1/2).

    Returns:
        The bounds, in [0, 1), one a count. Never rounded up.

    Raises:
        InvalidParameter: If an argument lies outside its domain.

    References:
        Berk and Jones (1979), Z. Wahrsch. 47; Moscovich, Nadler and Spiegelman (2016), arXiv:1311.3190.
    """
    return clopper_pearson_lower(np.asarray(at_least), m, berk_jones_level(m, delta))


@lru_cache(maxsize=64)
def berk_jones_level(m: int, delta: float) -> float:
    """Return the level at which m Clopper-Pearson bounds may be read off one sample, all holding together.

    The probability that none fails is computed exactly for finite m. Time grows as m squared: 0.04 s at
    500, some 4 s at 10,000; the result is kept.

    Args:
        m: Sample size, 1 to 50,000.
        delta: Probability that any of the bounds fails, in (0, 1/2).

    Returns:
        The level, in ``[delta / m, delta]``; never rounded up.

    Raises:
        InvalidParameter: If an argument lies outside its domain.
    """
    from scipy.optimize import brentq  # noqa: PLC0415 - slow to import

    require_count("m", m, most=MOST_IMAGES)
    require_inside("delta", delta, upper=0.5)
    ranks = np.arange(1, m + 1)

    def excess(log_level: float) -> float:
        return math.log(crossing_probability(clopper_pearson_lower(ranks, m, math.exp(log_level))) / delta)

    # Boole puts the root above delta / m, a single bound puts it below delta; both ends leave room to round.
    root = brentq(excess, math.log(delta / m) - 1, math.log(delta) + TOLERANCE, xtol=TOLERANCE)
    return math.exp(float(root) - 2 * TOLERANCE)


def _dkw(m: int, delta: float) -> float:
    require_count("m", m)
    return math.sqrt(-math.log(delta) / (2 * m)) * (1 + 1e-9)
