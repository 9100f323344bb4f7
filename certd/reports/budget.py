"""What another budget would certify: projections from k/n, without a forward pass.

Each takes k/n for the probability and must be labelled a projection. For fewer draws than were stored
``certd.reports.subsampling`` is exact.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betainc, ndtr, ndtri

from certd.reports.weighted import mean
from certd.statistics import clopper_pearson_upper, least_certifying_count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from certd.reports.weighted import Weights
    from certd.smoothing.guarantee import Guarantee

BUDGETS = (10, 30, 100, 300, 1000, 3000, 10**4, 3 * 10**4, 10**5, 3 * 10**5, 10**6, 3 * 10**6, 10**7)
# Probits of the probabilities between which the expected radius is interpolated; it is smooth in them.
NODES = np.arange(-1.0, 6.5, 0.08)
REACH = 6
POINTS = 49


def least_count(radius: float, draws: int, alpha: float, guarantee: Guarantee) -> int | None:
    """Return k*(r), the least count that certifies ``radius``; None where not even every draw does.

    Args:
        radius: In input units, at least 0.
        draws: Estimation draws N of the fixed plan.
        alpha: Failure probability, in (0, 1).
        guarantee: Noise, norm and shape.
    """
    threshold = guarantee.threshold(radius)
    return None if threshold >= 1 else least_certifying_count(draws, alpha, threshold)


def accuracy_without_end(shares: NDArray[np.float64], radius: float, guarantee: Guarantee) -> float:
    """Return the certified accuracy at ``radius`` that an infinite budget would give: P(p_y >= Phi(r/sigma)).

    Args:
        shares: k/n of the label, float64[image], taken for the probabilities.
        radius: In input units, at least 0.
        guarantee: Noise, norm and shape.
    """
    return float((shares >= guarantee.threshold(radius)).mean())


def expected_accuracy(
    shares: NDArray[np.float64], radius: float, draws: int, alpha: float, guarantee: Guarantee
) -> float:
    """Return the expected certified accuracy at ``radius`` of a fixed plan of ``draws``: a projection.

    It is the mean over the images of ``P(Bin(draws, p) >= k*(r))``.

    Args:
        shares: k/n of the label, float64[image], taken for the probabilities.
        radius: In input units, at least 0.
        draws: Estimation draws N.
        alpha: Failure probability, in (0, 1).
        guarantee: Noise, norm and shape.
    """
    count = least_count(radius, draws, alpha, guarantee)
    return 0.0 if count is None else float(betainc(count, draws - count + 1, shares).mean())


def expected_average_radius(
    shares: NDArray[np.float64],
    draws: int,
    alpha: float,
    guarantee: Guarantee,
    weights: Weights = None,
) -> float:
    """Return the expected ACR of a fixed plan of ``draws``: a projection.

    Args:
        shares: k/n of the label, float64[image], taken for the probabilities.
        draws: Estimation draws N.
        alpha: Failure probability, in (0, 1).
        guarantee: Noise, norm and shape.
        weights: Images an entry stands for, int64[image]; None for one each.

    Returns:
        Input units. Interpolated between tabulated probabilities: no image is off by more than .01 sigma.
    """
    from scipy.interpolate import PchipInterpolator  # noqa: PLC0415 - slow to import

    expected = PchipInterpolator(NODES, _expected_radii(draws, alpha, guarantee))
    return mean(expected(np.clip(ndtri(shares), NODES[0], NODES[-1])), weights)


def order_flips(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    alpha: float,
    guarantees: tuple[Guarantee, Guarantee],
    budgets: Sequence[int] = BUDGETS,
) -> tuple[int, ...]:
    """Return the budgets at which the order of two runs by expected ACR turns over.

    Args:
        first: k/n of the label in the first run, float64[image].
        second: The same of the second run.
        alpha: Failure probability, in (0, 1).
        guarantees: Of the first and of the second run.
        budgets: Rising; between two of them one turn is found, never two.

    Returns:
        For each turn, a budget at which the order is the new one while at one draw less it is the old one.
    """

    def lead(draws: int) -> float:
        ours = expected_average_radius(first, draws, alpha, guarantees[0])
        return ours - expected_average_radius(second, draws, alpha, guarantees[1])

    leads = [lead(draws) for draws in budgets]
    turns = [i for i in range(len(leads) - 1) if leads[i] * leads[i + 1] < 0]
    return tuple(_turn(lead, budgets[i], budgets[i + 1]) for i in turns)


def radii_of_counts(
    counts: NDArray[np.int64], draws: int, alpha: float, guarantee: Guarantee
) -> NDArray[np.float64]:
    """Return the radius that each count certifies under a fixed plan; as :meth:`Guarantee.bound`, in bulk.

    Args:
        counts: Hits, of any shape, in [0, draws].
        draws: Draws N.
        alpha: Failure probability, in (0, 1).
        guarantee: Noise, norm and shape.
    """
    failures = np.minimum(clopper_pearson_upper(draws - counts, draws, alpha) + guarantee.slack, 1.0)
    law, norm, dimension = guarantee.law, guarantee.norm, guarantee.dimension
    return np.array(
        [law.radius(1 - q, norm, dimension, complement=float(q)) if q < 0.5 else 0.0 for q in failures.flat]
    ).reshape(counts.shape)


def _turn(lead: Callable[[int], float], low: int, high: int) -> int:
    """Bisect for where the lead changes sign between two budgets."""
    before = lead(low) > 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if (lead(middle) > 0) == before else (low, middle)
    return high


@lru_cache(maxsize=256)
def _expected_radii(draws: int, alpha: float, guarantee: Guarantee) -> NDArray[np.float64]:
    """Return E[R(K)], K ~ Bin(draws, p), at the nodes.

    Summation by parts over counts spread evenly across six standard deviations: exact where these are all
    the counts there are, and a trapezoid rule of step .25 standard deviations elsewhere.
    """
    p = ndtr(NODES)[:, None]
    mean, spread = draws * p, REACH * np.sqrt(draws * p * (1 - p)) + 3
    low, high = np.maximum(np.floor(mean - spread), 0), np.minimum(np.ceil(mean + spread), draws)
    counts = (low + np.rint((high - low) * np.linspace(0, 1, POINTS))).astype(np.int64)
    radii = radii_of_counts(counts, draws, alpha, guarantee)
    steps = np.diff(radii, axis=1)
    weights = (_at_least(counts[:, 1:], draws, p) + _at_least(counts[:, :-1] + 1, draws, p)) / 2
    expected: NDArray[np.float64] = radii[:, 0] + (steps * weights).sum(axis=1)
    return expected


def _at_least(counts: NDArray[np.int64], draws: int, p: NDArray[np.float64]) -> NDArray[np.float64]:
    least = np.clip(counts, 1, draws)
    tail: NDArray[np.float64] = betainc(least, draws - least + 1, p)
    return np.where(counts < 1, 1.0, np.where(counts > draws, 0.0, tail))
