"""Compute, exactly, how often an empirical distribution crosses a one-sided boundary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln

if TYPE_CHECKING:
    from numpy.typing import NDArray


def crossing_probability(levels: NDArray[np.float64]) -> float:
    """Return the probability that some order statistic of m uniforms falls below its level.

    Let N(s) count the uniforms up to s, and l_k be the k-th level: the boundary is crossed wherever
    N(s) >= k with s < l_k. N rises only by jumps and the boundary by steps of one, so a path that has crossed
    comes back under the boundary at some level with N(l_k) = k exactly. Splitting by the last such touch,
    with R_k the probability of no touch after l_k given N(l_k) = k::

        1 - R_k = sum over j > k of P(N(l_j) = j | N(l_k) = k) R_j,    R_m = 1

    and the result is 1 - R_0 with l_0 = 0. All terms are positive, and the inverse of this triangular system
    is the identity less the law of the next touch, of norm at most 2, so rounding does not build up.
    Time grows as m squared: half a second at 10,000.

    Args:
        levels: Non-decreasing levels in [0, 1), one an order statistic, float[m].

    Returns:
        The probability of at least one ``U_(k) < levels[k]``, in [0, 1].

    References:
        Steck (1971), Annals of Mathematical Statistics 42; Moscovich, Nadler and Spiegelman (2016),
        arXiv:1311.3190, section 4, for the use.
    """
    m = len(levels)
    level = np.concatenate(([0.0], levels))
    log_above = np.log1p(-level)
    log_factorial = gammaln(np.arange(m + 1) + 1.0)
    never_again = np.ones(m + 1)
    for k in range(m - 1, -1, -1):
        touch = _touch(level[k:], log_above[k:], log_factorial[: m - k + 1])
        never_again[k] = 1.0 - touch @ never_again[k + 1 :]
    return float(touch @ never_again[1:])


def _touch(
    level: NDArray[np.float64], log_above: NDArray[np.float64], log_factorial: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return, for each later level, the chance of touching it, given a touch of the first."""
    left = len(level) - 1
    steps = np.arange(1, left + 1)
    with np.errstate(divide="ignore"):
        inside = np.log(level[1:] - level[0]) - log_above[0]
    chosen = log_factorial[left] - log_factorial[1:] - log_factorial[left - 1 :: -1]
    beyond = (left - steps) * (log_above[1:] - log_above[0])
    probability: NDArray[np.float64] = np.exp(chosen + steps * inside + beyond)
    return probability
