"""Certify with no declared end: a bound that holds at every look at once, and may be continued later.

The capital of a bettor against "p <= p0" is the likelihood ratio of q to p0, averaged over q uniform on
(p0, 1). Every ratio in the average is a supermartingale under every p <= p0, so the capital ever reaches
1/alpha with probability at most alpha (Ville), however often and for whatever reason one looks.

The nulls rejected by one look form an interval (0, L] for alpha up to 1/e, which makes L a lower bound: while
the capital is 1 or more it falls as p0 rises to k/(n+1), and from there on it is below e.

References:
    Robbins (1970), Ann. Math. Statist. 41; Ville (1939); Howard, Ramdas, McAuliffe and Sekhon (2021),
    arXiv:1810.08240, section 4, for mixtures.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from scipy.special import betaincc, betaln

from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Iterable

BISECTIONS = 60
ROUNDING = 2**-49
SAFETY = 1e-9


def log_capital(successes: int, trials: int, null: float) -> float:
    """Return the logarithm of the capital won against "p <= null" by draws with so many successes.

    In closed form, the uniform average being ``B(k+1, n-k+1) P(Beta(k+1, n-k+1) > p0) / (1 - p0)``.

    Args:
        successes: Draws k that came up true, in ``[0, trials]``.
        trials: All draws n so far, at least 0; before the first the capital is 1.
        null: The hypothetical p0, in ``(0, 1)``.

    Returns:
        The logarithm, rounded down by more than its floating-point error; minus infinity for a capital below
        the smallest float.

    Raises:
        InvalidParameter: If an argument lies outside its domain.
    """
    _check(successes, trials)
    if not 0 < null < 1:
        raise InvalidParameter(f"A null probability lies in (0, 1); got {null}.")
    a, b = successes + 1, trials - successes + 1
    share = float(betaincc(a, b, null))
    if share == 0:
        return -math.inf
    terms = (float(betaln(a, b)), -successes * math.log(null), -b * math.log1p(-null), math.log(share))
    # ln B is two log-gammas less a third, which is below ``gammas`` and no smaller than their sum. Each is
    # known to 2**-51 of its size, and two sums round by 2**-53: 5 * 2**-52 in all; 8 are allowed.
    gammas = (trials + 2) * math.log(trials + 2)
    error = SAFETY + ROUNDING * (trials + gammas + math.fsum(map(abs, terms)))
    return math.fsum((*terms, -error))


def anytime_lower(looks: Iterable[tuple[int, int]], alpha: float) -> float:
    """Bound a Bernoulli parameter from below at every look at once.

    With probability at least ``1 - alpha`` over one endless sequence of draws no result of this function on a
    beginning of it ever exceeds the parameter: one may stop, or go on, for any reason whatever.

    Args:
        looks: (successes, trials), both cumulative, of the looks so far in any order.
        alpha: Failure probability, in ``(0, 1/e]``.

    Returns:
        The running maximum over the looks of the largest null rejected, in ``[0, 1)``; never rounded up.

    Raises:
        InvalidParameter: If an argument lies outside its domain.
    """
    if not 0 < alpha <= 1 / math.e:
        raise InvalidParameter(f"The open plan needs alpha in (0, 1/e]; got {alpha}.")
    return max((_largest_rejected(hits, draws, -math.log(alpha)) for hits, draws in looks), default=0.0)


def _largest_rejected(successes: int, trials: int, log_goal: float) -> float:
    """Bisect below the observed share, where the capital falls as the null rises."""
    _check(successes, trials)
    low, high = 0.0, successes / trials if trials else 0.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if 0 < middle < 1 and log_capital(successes, trials, middle) >= log_goal:
            low = middle
        else:
            high = middle
    return low


def _check(successes: int, trials: int) -> None:
    """Refuse counts that no draws could leave."""
    if not 0 <= successes <= trials:
        raise InvalidParameter(f"successes must lie in [0, trials]; got {successes} of {trials}.")
