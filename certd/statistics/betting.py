"""Bound the mean of bounded values from below by betting against smaller means."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from certd.statistics.domain import require_inside, require_within

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

LARGEST_STAKE = 0.75
BLOCK = 65_536
BISECTIONS = 50
LOG_MARGIN = 1e-6


def betting_lower(
    values: ArrayLike, upper: float, delta: float, order: NDArray[np.integer] | None = None
) -> float:
    """Bound the mean of independent values in ``[0, upper]`` from below.

    With probability at least ``1 - delta`` the mean of their law is no smaller than the result. Against each
    candidate mean a gambler stakes, before seeing a value, on its exceeding the candidate; were the candidate
    the true mean or above it, the wealth would ever reach ``1 / delta`` with probability at most delta
    (Ville). The greatest candidate against which it did is the bound. Stakes follow from earlier values only,
    so the order must be fixed beforehand: never sort the values, and never choose among orders.

    Args:
        values: Independent, identically distributed values in ``[0, upper]``, in their declared order.
        upper: A number that no value can exceed, known beforehand, positive.
        delta: Failure probability, in (0, 1).
        order: The index of each value in ``values``, in the declared order, where equal values are kept once;
            None where they stand in it. Beyond it and ``values`` no more than a block is held.

    Returns:
        The bound, in ``[0, upper)``. Never rounded up: the wealth must pass its mark by a part in 1e6.

    Raises:
        InvalidParameter: If an argument lies outside its domain.

    References:
        Waudby-Smith and Ramdas (2024), JRSS B 86, arXiv:2010.09686, section 4.
    """
    require_inside("delta", delta)
    require_inside("upper", upper, upper=math.inf)
    scaled = require_within("values", values, 0, upper) / upper
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        refuted = _peak_log_wealth(scaled, order, delta, middle) >= -math.log(delta) + LOG_MARGIN
        low, high = (middle, high) if refuted else (low, middle)
    return low * upper * (1 - 1e-9)


def stakes_before(scaled: NDArray[np.float64], delta: float) -> NDArray[np.float64]:
    """Return each round's stake, from the values before it alone; whatever it sees later would break Ville.

    Args:
        scaled: Values in [0, 1], in their declared order.
        delta: Failure probability, in (0, 1).

    Returns:
        One positive stake a value, to be capped for each candidate mean.

    References:
        Waudby-Smith and Ramdas (2024), arXiv:2010.09686, section 4.
    """
    stakes = [stakes for _, stakes in _rounds(scaled, None, delta)]
    return np.concatenate(stakes)


def _rounds(
    scaled: NDArray[np.float64], order: NDArray[np.integer] | None, delta: float
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Go through the values in their order, a block at a time, with each round's stake.

    Sums are carried from block to block in the order of the values, so blocks change no bit of them.
    """
    length = len(scaled) if order is None else len(order)
    total = squares = 0.0
    before = 0.25
    for start in range(0, length, BLOCK):
        block = scaled[start : start + BLOCK] if order is None else scaled[order[start : start + BLOCK]]
        rounds = np.arange(start + 1, start + len(block) + 1)
        totals = _sums(total, block)
        means = (0.5 + totals) / (rounds + 1)
        sums = _sums(squares, (block - means) ** 2)
        variances = (0.25 + sums) / (rounds + 1)
        earlier = np.concatenate(([before], variances[:-1]))
        yield block, np.sqrt(-2 * math.log(delta) / (length * earlier))
        total, squares, before = float(totals[-1]), float(sums[-1]), float(variances[-1])


def _sums(before: float, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the running sums after what was summed before."""
    sums: NDArray[np.float64] = np.cumsum(np.concatenate(([before], values)))[1:]
    return sums


def _peak_log_wealth(
    scaled: NDArray[np.float64], order: NDArray[np.integer] | None, delta: float, mean: float
) -> float:
    """Return the greatest wealth ever held, as a logarithm; it does not increase with the candidate."""
    peak, wealth = -math.inf, 0.0
    for block, stakes in _rounds(scaled, order, delta):
        grown = _sums(wealth, np.log1p(np.minimum(stakes, LARGEST_STAKE / mean) * (block - mean)))
        peak, wealth = max(peak, float(grown.max())), float(grown[-1])
    return peak
