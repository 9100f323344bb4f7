"""Simulated error of plans that look more than once, against rules that only seem to be as good."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest
from scipy.special import ndtr

from certd.statistics.clopper_pearson import least_certifying_count
from certd.statistics.martingale import log_capital
from certd.statistics.sequential import group_sequential_design, stage_schedule
from certd.statistics.spending import Spending

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALPHA = 0.001
REPLICATIONS = 1_000_000
BATCH = 50_000
STAGES = stage_schedule(100_000)
BOUNDARIES = (0.0, 0.5, 1.5)
ALLOWED = ALPHA + 3 * (ALPHA * (1 - ALPHA) / REPLICATIONS) ** 0.5


def error_rate(thresholds: NDArray[np.int64], probability: float, replications: int, seed: int) -> float:
    """Return the share of simulated images whose hits reach a threshold at some look."""
    rng = np.random.default_rng(seed)
    draws = np.diff((0, *STAGES))
    crossed = 0
    for _ in range(replications // BATCH):
        hits = np.zeros(BATCH, dtype=np.int64)
        alive = np.ones(BATCH, dtype=bool)
        for size, threshold in zip(draws, thresholds, strict=True):
            hits += rng.binomial(size, probability, BATCH)
            alive &= hits < threshold
        crossed += BATCH - int(alive.sum())
    return crossed / replications


@cache
def nulls() -> tuple[float, ...]:
    """Return the threshold probabilities of the simulated boundaries."""
    return tuple(float(np.nextafter(ndtr(factor), 1)) for factor in BOUNDARIES)


@pytest.mark.statistical
@pytest.mark.parametrize("spending", get_args(Spending))
@pytest.mark.parametrize("j", range(len(BOUNDARIES)))
def test_false_certificates_are_no_more_than_alpha(j: int, spending: Spending) -> None:
    """Just below a boundary at most alpha of the images cross it. False alarm: .0013 a boundary (3 s.e.)."""
    design = group_sequential_design(nulls(), STAGES, ALPHA, spending)
    just_below = nulls()[j] * (1 - 1e-12)
    assert error_rate(design.certify[:, j], just_below, REPLICATIONS, seed=20 + j) <= ALLOWED


@pytest.mark.statistical
def test_clopper_pearson_at_every_look_breaks_the_promise() -> None:
    """The check above has teeth: peeking errs at least six times alpha. False alarm: below 1e-9."""
    least = [least_certifying_count(n, ALPHA, nulls()[1]) for n in STAGES]
    peeking = np.array([count or n + 1 for count, n in zip(least, STAGES, strict=True)])
    assert error_rate(peeking, nulls()[1], 100_000, seed=30) > 6 * ALPHA


@pytest.mark.statistical
def test_the_capital_rarely_reaches_its_goal_at_the_null() -> None:
    """Looked at 39 times, the bettor against a true null wins at most alpha. False alarm: .0013 (3 s.e.)."""
    null, goal = nulls()[1], -np.log(ALPHA)
    winning = np.array([least_winning_count(n, null, goal) for n in STAGES])
    assert error_rate(winning, null, REPLICATIONS, seed=40) <= ALLOWED


def least_winning_count(trials: int, null: float, goal: float) -> int:
    """Return the least count of successes whose capital reaches the goal, by bisection."""
    low, high = int(trials * null), trials + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if log_capital(middle, trials, null) >= goal else (middle, high)
    return high
