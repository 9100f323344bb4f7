"""Decide a declared list of probabilities by looking at a count several times, at error alpha altogether.

Looks n_1 < ... < n_K are declared before the first draw. At look k the null "p <= p0_j" is rejected when the
hits reach an integer threshold c[k, j], computed so that under p0_j a crossing at any look has probability at
most alpha. The nulls are nested and so are the thresholds: a false claim at p in (p0_(i-1), p0_i] means that
boundary i or a higher one was crossed, hence boundary i; that is likeliest at p0_i, and at most alpha there.
**So every probability of the list is tested at the full alpha: the list needs no correction.**

Giving up is free: it only makes crossings rarer.

References:
    Lan and DeMets (1983), Biometrika 70, for declared spending; Jennison and Turnbull (1999), Group
    Sequential Methods, chapter 12, for exact binomial boundaries.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import bdtrik

from certd.errors import InvalidParameter
from certd.statistics.binomial_walk import INFLATION, TRUNCATION, BinomialWalk
from certd.statistics.spending import futility_risks, spent_alpha

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from certd.statistics.spending import Spending

FIRST_STAGE = 100
STAGE_RATIO = 1.2
LEAST_ALPHA_PER_LOOK = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class GroupSequentialDesign:
    """When hits certify the probabilities of a list, and when to give up.

    Attributes:
        probabilities: The nulls p0_j, rising, in (0, 1).
        stages: Draws n_k at each look, rising.
        alpha: Probability that anything false is ever certified, at most.
        certify: c[k, j], int64[looks, probabilities]: ``hits >= c`` certifies ``p > p0_j``; above n_k where
            no count does. Non-decreasing along j.
        futility: int64[looks, probabilities]: ``hits <= futility`` gives p0_j up. Non-decreasing along j.
    """

    probabilities: tuple[float, ...]
    stages: tuple[int, ...]
    alpha: float
    certify: NDArray[np.int64]
    futility: NDArray[np.int64]

    def certified(self, trail: Sequence[int]) -> int:
        """Return how many of the probabilities, the lowest first, the looks so far have certified.

        Args:
            trail: Cumulative hits at the first looks, at most one a look.

        Returns:
            The running maximum over the looks, in ``[0, len(probabilities)]``; it never falls.
        """
        self._check(trail)
        reached = self.certify[: len(trail)] <= np.array(trail, dtype=np.int64)[:, None]
        return int(reached.sum(axis=1).max(initial=0))

    def finished(self, trail: Sequence[int]) -> bool:
        """Return whether to stop: all is certified, the next probability is futile, or no look is left."""
        certified = self.certified(trail)
        if certified == len(self.probabilities) or len(trail) == len(self.stages):
            return True
        return bool(trail) and trail[-1] <= self.futility[len(trail) - 1, certified]

    def _check(self, trail: Sequence[int]) -> None:
        """Refuse a trail that no sequence of draws could leave."""
        steps = zip((0, *trail), trail, (0, *self.stages), self.stages, strict=False)
        possible = all(0 <= hits - before <= draws - drawn for before, hits, drawn, draws in steps)
        if len(trail) > len(self.stages) or not possible:
            raise InvalidParameter(
                f"A trail holds cumulative hits at the looks {self.stages}, one a look; got {tuple(trail)}."
            )


@lru_cache(maxsize=64)
def stage_schedule(largest: int, first: int = FIRST_STAGE, ratio: float = STAGE_RATIO) -> tuple[int, ...]:
    """Return the looks: ``first``, then each ``ratio`` times the one before, the last at ``largest``.

    Args:
        largest: The whole budget N, at least 1.
        first: Draws at the first look, at least 1; a smaller ``largest`` is looked at once.
        ratio: Growth, above 1. A last step shorter than half a usual one is merged into the one before.

    Returns:
        Rising draw counts; 39 of them for the defaults and ``largest`` = 100,000.
    """
    if largest < 1 or first < 1 or ratio <= 1:
        raise InvalidParameter(
            "Looks need a budget and a first look of at least 1 draw, and a ratio above 1."
        )
    stages, size = [0], float(first)
    while size * (1 + ratio) / 2 < largest:
        stages.append(max(round(size), stages[-1] + 1))
        size *= ratio
    return (*stages[1:], largest)


@lru_cache(maxsize=64)
def group_sequential_design(
    probabilities: tuple[float, ...],
    stages: tuple[int, ...],
    alpha: float,
    spending: Spending = "rising",
) -> GroupSequentialDesign:
    """Compute the thresholds of a list of probabilities; cached, since every image of a job shares them.

    The error of each boundary is at most ``alpha`` exactly, not asymptotically: see
    :mod:`certd.statistics.binomial_walk` for why rounding cannot push it over.

    Args:
        probabilities: Strictly rising, in ``(0, 1)``; for a radius, its threshold probability rounded up.
        stages: Draws at each look, strictly rising, at least 1; see :func:`stage_schedule`.
        alpha: Failure probability, in ``[1e-12 * looks, 1)``.
        spending: How alpha and the risk of giving up are shared out over the looks.

    Returns:
        The design; its arrays are read-only.

    Raises:
        InvalidParameter: If an argument lies outside its domain.
    """
    _check_design(probabilities, stages, alpha)
    allowed = spent_alpha(spending, stages, alpha)
    columns = [_thresholds(p, stages, allowed) for p in probabilities]
    certify = np.maximum.accumulate(np.array(columns, dtype=np.int64).T, axis=1)
    futility = _futility(certify, np.array(stages)[:, None], futility_risks(spending, stages)[:, None])
    for array in (certify, futility):
        array.flags.writeable = False
    return GroupSequentialDesign(probabilities, stages, alpha, certify, futility)


def is_reachable(
    probability: float, stages: tuple[int, ...], alpha: float, spending: Spending = "rising"
) -> bool:
    """Return whether hits at every draw would certify a probability, without computing its design.

    Until some look certifies, no high count is cut off: the walk holds the top count n_k with probability
    ``p**n_k``, and each look has spent ``TRUNCATION``. Where a look cuts off its improbable high steps,
    ``p**n_k`` is below every allowance, and the design certifies there too.

    Args:
        probability: In ``(0, 1)``.
        stages: Draws at each look, strictly rising, at least 1.
        alpha: Failure probability, in ``[1e-12 * looks, 1)``.
        spending: How alpha is shared out over the looks.

    Raises:
        InvalidParameter: If an argument lies outside its domain.
    """
    _check_design((probability,), stages, alpha)
    allowed = spent_alpha(spending, stages, alpha)
    return any(
        probability**draws * (1 + INFLATION) + TRUNCATION <= allowance - look * TRUNCATION
        for look, (draws, allowance) in enumerate(zip(stages, allowed, strict=True))
    )


def crossing_probability(thresholds: Sequence[int], stages: Sequence[int], probability: float) -> float:
    """Return the probability that the hits reach a threshold at some look.

    Args:
        thresholds: One count a look.
        stages: Draws at each look, strictly rising.
        probability: The true p, in ``(0, 1)``.

    Returns:
        The probability, understated never and overstated by 1e-9 of itself and 1e-13 a look at most.
    """
    walk, crossed = BinomialWalk.begin(), 0.0
    for (before, draws), threshold in zip(pairwise((0, *stages)), thresholds, strict=True):
        walk = walk.after(draws - before, probability)
        crossed += walk.tail(threshold)
        walk = walk.below(threshold)
    return crossed


def _thresholds(probability: float, stages: tuple[int, ...], allowed: tuple[float, ...]) -> list[int]:
    """Return the least count of each look that keeps the error spent so far within its allowance."""
    walk, spent, thresholds = BinomialWalk.begin(), 0.0, []
    for (before, draws), allowance in zip(pairwise((0, *stages)), allowed, strict=True):
        walk = walk.after(draws - before, probability)
        thresholds.append(walk.least_count(allowance - spent))
        spent += walk.tail(thresholds[-1])
        walk = walk.below(thresholds[-1])
    return thresholds


def _futility(
    certify: NDArray[np.int64], stages: NDArray[np.int64], risks: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return the counts with which the last threshold is out of reach, or which contradict reaching it."""
    largest = stages[-1]
    on_course = np.minimum(certify[-1] / largest, 1.0)
    unlikely = np.ceil(bdtrik(risks, stages, on_course)).astype(np.int64) - 1
    unreachable = certify[-1] - (largest - stages) - 1
    given_up: NDArray[np.int64] = np.maximum(unlikely, unreachable)
    return given_up


def _check_design(probabilities: tuple[float, ...], stages: tuple[int, ...], alpha: float) -> None:
    """Refuse a design that is not one."""
    if not probabilities or not all(a < b for a, b in pairwise((0.0, *probabilities, 1.0))):
        raise InvalidParameter("The probabilities to certify must rise strictly within (0, 1).")
    if not stages or not all(a < b for a, b in pairwise((0, *stages))):
        raise InvalidParameter("Looks need draw counts of at least 1 that rise strictly.")
    least = LEAST_ALPHA_PER_LOOK * len(stages)
    if not least <= alpha < 1:
        raise InvalidParameter(f"alpha must lie in [{least:g}, 1) for {len(stages)} looks; got {alpha}.")
