"""What a log does not say outright: its budget and its counts follow from the radii it prints."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from certd.errors import InvalidParameter
from certd.statistics import floor_to, largest_certifiable_radius, lower_bounds_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Published budgets, the usual ones first.
BUDGETS = tuple((n, alpha) for n in (100_000, 10_000, 1_000_000, 1_000) for alpha in (0.001, 0.01))
# Exact radii of other software stand a few parts in 1e10 above our bounds, which are rounded down.
TOLERANCE = 2e-9


def recover_counts(radii: NDArray[np.float64], sigma: float, n: int, alpha: float) -> NDArray[np.int64]:
    """Return the least count whose bound reaches each radius; all ``n`` where rounding lifted it beyond.

    Args:
        radii: Printed radii, input units, float64[image].
        sigma: Noise level, input units.
        n: Estimation draws, at most 10**7.
        alpha: Failure probability, in (0, 1).
    """
    reached = ndtr(radii / sigma * (1 - TOLERANCE)) * (1 - TOLERANCE)
    counts: NDArray[np.intp] = np.searchsorted(lower_bounds_table(n, alpha), reached, side="left")
    return np.minimum(counts, n).astype(np.int64)


def recover_budget(radii: list[Decimal], sigma: float) -> tuple[int, float]:
    """Return ``(n, alpha)`` from the largest radius of a log.

    A largest radius of 3.811 sigma tells of (1e5, .001), one of 3.911 sigma of (1e5, .01).

    Args:
        radii: As printed.
        sigma: Noise level, input units.

    Raises:
        InvalidParameter: If none of the usual budgets has this cap: no image saturated, or sigma is wrong.
    """
    largest = max(radii)
    unit = Decimal(1).scaleb(int(largest.as_tuple().exponent))
    for n, alpha in BUDGETS:
        if abs(Decimal(largest_certifiable_radius(n, alpha, sigma)) - largest) < unit:
            return n, alpha
    raise InvalidParameter(
        f"The largest radius is {float(largest) / sigma:.4f} sigma, the cap of none of the usual budgets "
        "(3.811 is n = 1e5 at alpha = .001). Check sigma, or say n and alpha."
    )


def require_budget(radii: list[Decimal], sigma: float, n: int, alpha: float) -> None:
    """Refuse a budget that cannot have proved the largest radius of a log.

    Printing may have lifted a radius by half a unit of its last digit, and no more.

    Raises:
        InvalidParameter: With the arithmetic.
    """
    largest, cap = max(radii), largest_certifiable_radius(n, alpha, sigma)
    half_unit = Decimal(5).scaleb(int(largest.as_tuple().exponent) - 1)
    if largest - half_unit > Decimal(cap) * (1 + Decimal(TOLERANCE)):
        raise InvalidParameter(
            f"n = {n:,} draws at alpha = {alpha:g} and sigma = {sigma:g} certify at most {floor_to(cap, 4)}, "
            f"but the log holds a radius of {largest}. Check sigma, n and alpha."
        )
