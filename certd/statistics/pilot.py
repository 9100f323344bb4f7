"""Choose from a pilot how many fresh draws an image needs for a radius within a tolerance.

The pilot only chooses the budget, and is discarded: the bound rests on fresh draws alone, so it holds at the
full alpha whatever the pilot said. Counting the pilot's draws as well would void it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

from certd.errors import InvalidParameter
from certd.statistics.clopper_pearson import clopper_pearson_lower, clopper_pearson_upper, gaussian_radius
from certd.statistics.sequential import stage_schedule

if TYPE_CHECKING:
    from numpy.typing import NDArray

PILOT_ERROR = 0.05
LARGEST_PROBIT = 6.0
PROBIT_STEP = 0.02


def draws_for_precision(
    pilot_successes: int, pilot_trials: int, largest: int, alpha: float, tolerance: float
) -> int:
    """Choose the fresh draws that bring the radius within a tolerance of what the whole budget would give.

    The worst need over the pilot's own 95 % interval is met. A saturated image needs the whole budget
    whatever one does: its radius is capped by the budget alone.

    Args:
        pilot_successes: Pilot draws that voted for the class, in ``[0, pilot_trials]``.
        pilot_trials: Pilot draws, at least 1.
        largest: Fresh draws available, N, at least 1.
        alpha: Failure probability of the certificate, in ``(0, 1)``.
        tolerance: Radius that may be lost, in units of sigma, positive.

    Returns:
        Fresh draws n, in ``[1, largest]``, one of :func:`stage_schedule`.

    Raises:
        InvalidParameter: If an argument lies outside its domain.
    """
    if not tolerance > 0:
        raise InvalidParameter(f"The tolerance is a positive number of sigmas; got {tolerance}.")
    low = clopper_pearson_lower(pilot_successes, pilot_trials, PILOT_ERROR / 2)
    high = clopper_pearson_upper(pilot_successes, pilot_trials, PILOT_ERROR / 2)
    needs = _needs(largest, alpha, tolerance)
    return int(needs[_cell(low) : _cell(high) + 2].max())


@lru_cache(maxsize=16)
def _needs(largest: int, alpha: float, tolerance: float) -> NDArray[np.int64]:
    """Return the least draws that lose no more than the tolerance at the expected count, over the grid."""
    stages = np.array(stage_schedule(largest), dtype=np.int64)
    expected = np.floor(ndtr(_probits()) * stages[:, None]).astype(np.int64)
    factors = gaussian_radius(expected, stages[:, None], alpha, 1.0)
    needs: NDArray[np.int64] = stages[np.argmax(factors[-1] - factors <= tolerance, axis=0)]
    return needs


def _probits() -> NDArray[np.float64]:
    """Return the grid of Phi^-1(p), from 0, where nothing is certified, to where p is 1 in effect."""
    return np.arange(0.0, LARGEST_PROBIT + PROBIT_STEP, PROBIT_STEP)


def _cell(probability: float) -> int:
    """Return the grid point at or below a probability."""
    return int(np.clip(ndtri(probability), 0.0, LARGEST_PROBIT) / PROBIT_STEP)
