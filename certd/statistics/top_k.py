"""Certify that a label stays among the k most probable classes."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from certd.errors import InvalidParameter
from certd.statistics.clopper_pearson import clopper_pearson_lower, clopper_pearson_upper
from certd.statistics.domain import require_class_counts, require_count, require_inside, require_within
from certd.statistics.probit import probit_down, probit_up
from certd.statistics.two_sided import RIVAL_SHARE, TOP_SHARE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

LARGEST_RADIUS = 64.0
BISECTIONS = 64
MARGIN = 1e-9


def top_k_bounds(
    counts: NDArray[np.integer], label: int, k: int, alpha: float
) -> tuple[float, tuple[float, ...]]:
    """Bound the label from below and its k strongest rivals from above, all at once.

    With probability at least ``1 - alpha`` over the draws, the label's probability is at least the first
    result, and for every i the i-th largest probability among the other classes is at most the i-th of the
    second. The label must not have been chosen by these draws.

    A union over the k strongest rivals suffices, not over all classes. Let T be the k other classes of the
    largest probabilities: fixed, though unknown. With probability at least ``1 - a2`` every j in T has
    ``U(K_j, a2 / k) >= p_j``. The i-th largest observed count is no smaller than the least count among the i
    most probable members of T, and U does not decrease in the count; so U of it is at least some
    ``U(K_j) >= p_j`` with j among those i, hence at least the i-th largest probability. Nothing was assumed
    about which classes were observed on top. For k = 1 this is the argument of the two-sided bound.

    Args:
        counts: Votes a class, non-negative, int[class].
        label: Index of the class to certify.
        k: Size of the set, from 1 to the number of classes less one.
        alpha: Failure probability, in (0, 1); 0.9 of it bounds the label, 0.1 the rivals.

    Returns:
        The label's lower bound, and k upper bounds in non-increasing order.

    Raises:
        InvalidParameter: If an argument lies outside its domain.

    References:
        Jia, Cao, Wang and Gong (2020), arXiv:1912.09899, section 4, which spends a union over all classes.
    """
    require_inside("alpha", alpha)
    votes = require_class_counts(counts)
    require_count("k", k, most=votes.size - 1)
    require_count("label", label, least=0, most=votes.size - 1)
    draws = int(votes.sum())
    strongest = np.sort(np.delete(votes, label))[::-1][:k]
    rivals = (clopper_pearson_upper(int(count), draws, RIVAL_SHARE * alpha / k) for count in strongest)
    return clopper_pearson_lower(int(votes[label]), draws, TOP_SHARE * alpha), tuple(rivals)


def top_k_radius(p_lower: float, rivals_upper: Sequence[float], sigma: float = 1.0) -> float:
    """Return the l2 radius within which Gaussian smoothing keeps the label among the top k, rounded down.

    Suppose the label has left the top k at distance R: then k classes are at least as probable as it. Of
    these take the t whose bounds are smallest. Together they hold at least t times the label's probability,
    and by Neyman and Pearson at most ``Phi(Phi^-1(q_t) + R / sigma)``, where q_t, the sum of the t smallest
    of the k largest bounds, is at most 1 - p. So the label stays for every R with
    ``t Phi(Phi^-1(p) - R / sigma) > Phi(Phi^-1(q_t) + R / sigma)``, and the best t from 1 to k may be used.

    Args:
        p_lower: Lower bound on the label's probability, in [0, 1).
        rivals_upper: Upper bounds on the k largest other probabilities, k at least 1, each in (0, 1].
        sigma: Noise level, input units, positive.

    Returns:
        The radius in input units; 0 means abstain. It satisfies the inequality with a margin of 1e-9.

    Raises:
        InvalidParameter: If an argument lies outside its domain.

    References:
        Jia, Cao, Wang and Gong (2020), arXiv:1912.09899, theorem 1.
    """
    require_inside("sigma", sigma, upper=math.inf)
    if not 0.0 <= p_lower < 1.0:
        raise InvalidParameter(f"p_lower must lie in [0, 1); got {p_lower!r}.")
    ascending = np.sort(require_within("rivals_upper", rivals_upper, np.nextafter(0, 1), 1))
    others = math.nextafter(1.0 - p_lower, 1.0)
    sums = (min(total * (1 + MARGIN), others) for total in accumulate(ascending.tolist()))
    return (
        sigma * max(_reach(p_lower, total, size) for size, total in enumerate(sums, start=1)) * (1 - MARGIN)
    )


def _reach(p_lower: float, rivals: float, size: int) -> float:
    """Return the largest distance, in units of sigma, at which the label still outweighs ``size`` rivals."""
    label, rival = probit_down(p_lower), probit_up(rivals)

    def outweighs(distance: float) -> bool:
        shifted = size * float(ndtr(label - distance)) * (1 - MARGIN)
        return shifted > float(ndtr(rival + distance)) * (1 + MARGIN)

    return _last_true(outweighs) if outweighs(0.0) else 0.0


def _last_true(holds: Callable[[float], bool]) -> float:
    """Bisect for where a condition that holds at 0 ceases; at the result it was seen to hold."""
    low, high = 0.0, LARGEST_RADIUS
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
