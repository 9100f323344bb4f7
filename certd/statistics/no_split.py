"""Choose the class and bound it on the same draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.statistics.clopper_pearson import clopper_pearson_lower
from certd.statistics.domain import require_class_counts, require_inside

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def no_split_lower(counts: NDArray[np.integer], alpha: float) -> float:
    """Bound the probability of the class of the largest count, which the same draws have chosen.

    With probability at least ``1 - alpha`` the class of the largest count has at least the returned
    probability, however many classes there are. It costs a factor two in alpha, not the number of classes,
    *because* a bound of at most one half is given up: below it nothing holds at alpha / 2, so 0 is returned.

    Proof. Let k be the least count with ``L(k, n, alpha / 2) > 1/2``; then k > n/2, so at most one class
    reaches k, and it has the largest count. Put ``h(p) = P(Bin(n, p) >= k)``.

    - A class with p_c >= 1/2 gets a bound above p_c with probability at most alpha / 2, by Clopper-Pearson.
    - A class with p_c < 1/2 gets one only by reaching k, hence with probability at most h(p_c), and
      ``h(1/2) <= alpha / 2`` because L(k) > 1/2.
    - h is convex on [0, 1/2]: its slope n P(Bin(n-1, p) = k-1) rises up to p = (k-1)/(n-1) >= 1/2. With
      h(0) = 0 it is superadditive there, so classes of total probability at most 1/2 fail together with
      probability at most h(1/2) <= alpha / 2.
    - If one class has p_c >= 1/2, the others share at most 1/2: alpha / 2 + alpha / 2. If none has, a convex
      sum over the p_c in [0, 1/2] of total 1 is largest at its corners, two classes of 1/2 each:
      2 h(1/2) <= alpha. Two even classes attain 2 h(1/2), so alpha / 2 cannot be improved.

    Args:
        counts: Votes a class over all draws, non-negative, int[class].
        alpha: Failure probability, in (0, 1).

    Returns:
        The bound, in (1/2, 1), or 0 for abstain. Never rounded up.

    Raises:
        InvalidParameter: If an argument lies outside its domain.
    """
    require_inside("alpha", alpha)
    votes = require_class_counts(counts)
    bound = clopper_pearson_lower(int(votes.max()), int(votes.sum()), alpha / 2)
    return bound if bound > 0.5 else 0.0
