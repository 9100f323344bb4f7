"""Bound the top class and its strongest rival apart, and certify from the gap between them."""

from __future__ import annotations

import math

from certd.errors import InvalidParameter
from certd.statistics.clopper_pearson import clopper_pearson_lower, clopper_pearson_upper
from certd.statistics.domain import require_count, require_inside
from certd.statistics.probit import probit_down, probit_up

TOP_SHARE = 0.9
RIVAL_SHARE = 0.1


def two_sided_bounds(top_count: int, rival_count: int, trials: int, alpha: float) -> tuple[float, float]:
    """Bound the class's probability from below and every other class's from above, both at once.

    With probability at least ``1 - alpha`` over the draws, ``pA >= p_a_lower`` and ``pB <= p_b_upper``, where
    pB is the largest probability among *all* other classes. The class must not have been chosen by these
    draws: select it on separate ones, or test the label.

    No union over the possible rivals is needed. Let j be the other class of the largest probability: a fixed
    class, unknown but not random. Its count K_j is Bin(n, pB), so ``U(K_j) < pB`` has probability at most a2.
    The largest other count is at least K_j, and U does not decrease in the count, so U of the largest other
    count is below pB only when U(K_j) is. Where ``pA >= p_a_lower`` holds, ``pB <= 1 - pA <= 1 - p_a_lower``
    follows without spending anything, hence the minimum. The two failures together have at most
    a1 + a2 = alpha.

    Args:
        top_count: Draws of the class under test, in ``[0, trials]``.
        rival_count: The largest count among all other classes.
        trials: Independent draws, at least 1.
        alpha: Failure probability, in (0, 1); 0.9 of it bounds the class, 0.1 the rivals.

    Returns:
        ``(p_a_lower, p_b_upper)``; the first never rounded up, the second never down.

    Raises:
        InvalidParameter: If an argument lies outside its domain.

    References:
        Cohen, Rosenfeld and Kolter (2019), arXiv:1902.02918, theorem 1.
    """
    require_inside("alpha", alpha)
    require_count("rival_count", rival_count, least=0)
    if top_count + rival_count > trials:
        raise InvalidParameter(f"Two classes cannot hold {top_count} + {rival_count} of {trials} draws.")
    p_a_lower = clopper_pearson_lower(top_count, trials, TOP_SHARE * alpha)
    rival_upper = clopper_pearson_upper(rival_count, trials, RIVAL_SHARE * alpha)
    return p_a_lower, min(rival_upper, math.nextafter(1.0 - p_a_lower, 1.0))


def two_sided_radius(p_a_lower: float, p_b_upper: float, sigma: float = 1.0) -> float:
    """Return the l2 radius ``sigma / 2 (Phi^-1(pA) - Phi^-1(pB))`` of Gaussian smoothing, rounded down.

    It is true whenever both bounds are. Unlike the one-sided radius it may be positive for ``pA <= 1/2``.
    Where the sampled noise is not the ideal one, widen both bounds by the total variation first.

    Args:
        p_a_lower: Lower bound on the class's probability, in [0, 1).
        p_b_upper: Upper bound on every other class's probability, in (0, 1].
        sigma: Noise level, input units, positive.

    Returns:
        The radius in input units; 0 means abstain. Each quantile is widened by 1e-9 of itself.

    References:
        Cohen, Rosenfeld and Kolter (2019), arXiv:1902.02918, theorem 1.
    """
    require_inside("sigma", sigma, upper=math.inf)
    if not (0.0 <= p_a_lower < 1.0 and 0.0 < p_b_upper <= 1.0):
        raise InvalidParameter("p_a_lower must lie in [0, 1) and p_b_upper in (0, 1].")
    if p_a_lower <= p_b_upper:
        return 0.0
    return max(0.0, sigma * (probit_down(p_a_lower) - probit_up(p_b_upper)) / 2)
