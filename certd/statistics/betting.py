"""Bound the mean of bounded values from below by betting against smaller means."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from certd.statistics.domain import require_inside, require_within

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

LARGEST_STAKE = 0.75
BISECTIONS = 50
LOG_MARGIN = 1e-6


def betting_lower(values: ArrayLike, upper: float, delta: float) -> float:
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
    stakes = stakes_before(scaled, delta)
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        refuted = _peak_log_wealth(scaled, stakes, middle) >= -math.log(delta) + LOG_MARGIN
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
    rounds = np.arange(1, len(scaled) + 1)
    means = (0.5 + np.cumsum(scaled)) / (rounds + 1)
    variances = (0.25 + np.cumsum((scaled - means) ** 2)) / (rounds + 1)
    before = np.concatenate(([0.25], variances[:-1]))
    stakes: NDArray[np.float64] = np.sqrt(-2 * math.log(delta) / (len(scaled) * before))
    return stakes


def _peak_log_wealth(scaled: NDArray[np.float64], stakes: NDArray[np.float64], mean: float) -> float:
    """Return the greatest wealth ever held, as a logarithm; it does not increase with the candidate."""
    capped = np.minimum(stakes, LARGEST_STAKE / mean)
    return float(np.cumsum(np.log1p(capped * (scaled - mean))).max())
