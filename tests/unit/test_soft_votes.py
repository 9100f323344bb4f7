"""Bounds on the mean of soft votes: exact error rates, thinning, and the rounding that must not be done."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import binom

from certd.errors import InvalidParameter
from certd.smoothing.votes import SCALE
from certd.statistics.clopper_pearson import clopper_pearson_lower
from certd.statistics.means import (
    CUT,
    empirical_bernstein_lower,
    hoeffding_lower,
    thin,
    thinned_lower,
)

PROBABILITIES = np.linspace(0.01, 0.99, 99)


def worst_two_point_error(bounds: np.ndarray, low: float, high: float) -> float:
    """Return how often scores of ``high`` with probability p, else ``low``, are bounded falsely, at worst."""
    draws = len(bounds) - 1
    errors = []
    for p in PROBABILITIES:
        wrong = bounds > low + p * (high - low) + 1e-12
        errors.append(binom.pmf(np.arange(draws + 1), draws, p)[wrong].sum())
    return float(max(errors))


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.9, 1.0), (0.2, 0.7)])
@pytest.mark.parametrize("alpha", [0.3, 0.05])
def test_hoeffding_errs_with_probability_at_most_alpha(low: float, high: float, alpha: float) -> None:
    """Over every outcome of two-valued scores the bound exceeds the mean with probability at most alpha."""
    draws, highs = 60, np.arange(61)
    bounds = np.array([hoeffding_lower(low * draws + (high - low) * k, draws, alpha) for k in highs])
    assert worst_two_point_error(bounds, low, high) <= alpha


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.9, 1.0), (0.2, 0.7)])
@pytest.mark.parametrize("alpha", [0.3, 0.05])
def test_empirical_bernstein_errs_with_probability_at_most_alpha(
    low: float, high: float, alpha: float
) -> None:
    """Over every outcome of two-valued scores the bound exceeds the mean with probability at most alpha."""
    n = 400
    bounds = np.array(
        [
            empirical_bernstein_lower(low * (n - k) + high * k, low**2 * (n - k) + high**2 * k, n, alpha)
            for k in range(n + 1)
        ]
    )
    assert worst_two_point_error(bounds, low, high) <= alpha


@pytest.mark.parametrize("spread", [0.0, 1e-12, 2e-10, 1e-7, 1e-3])
@pytest.mark.parametrize("level", [1e-9, 0.1, 0.5, 0.99])
def test_cut_sums_prove_no_more_than_the_scores_themselves(level: float, spread: float) -> None:
    """Scores that hardly vary are bounded from cut sums, and not above what whole ones give."""
    draws, alpha = 500, 0.001
    scores = [Fraction(level + spread * (i % 7)) for i in range(draws)]
    squares = [score * score for score in scores]
    kept = [float(sum(int(each * SCALE) for each in of)) / SCALE for of in (scores, squares)]
    variance = float((sum(squares) - sum(scores) ** 2 / draws) / (draws - 1))
    log = math.log(2 / alpha)
    width = math.sqrt(2 * variance * log / draws) + 7 * log / (3 * (draws - 1))
    exact = float(sum(scores) / draws) - width
    found = empirical_bernstein_lower(kept[0], kept[1], draws, alpha)
    assert max(0.0, exact - 2e-5) <= found <= max(0.0, exact)
    assert SCALE * CUT == 1


def test_hoeffding_at_a_known_value() -> None:
    """Mean .9 over 1000 draws at alpha .001 gives .9 - sqrt(ln 1000 / 2000), rounded down."""
    exact = 0.9 - math.sqrt(math.log(1000) / 2000)
    assert exact - 1e-8 < hoeffding_lower(900.0, 1000, 0.001) < exact


def test_empirical_bernstein_at_a_known_value() -> None:
    """Half zeros and half ones, n = 100, alpha .05: variance 25/99 enters Maurer and Pontil's formula."""
    log = math.log(40)
    exact = 0.5 - math.sqrt(2 * 25 / 99 * log / 100) - 7 * log / (3 * 99)
    assert exact - 1e-7 < empirical_bernstein_lower(50.0, 50.0, 100, 0.05) < exact


def test_rounded_sums_break_clopper_pearson() -> None:
    """Clopper-Pearson on a sum rounded to whole votes is false with more than 1.8 alpha; on votes not.

    Twenty scores are just over 1/2 with probability q, else 0; their mean is just below L(1).
    """
    draws, alpha, score = 20, 0.05, 0.5 + 1e-9
    mean = clopper_pearson_lower(1, draws, alpha) * (1 - 1e-6)
    nonzero = np.arange(draws + 1)
    chances = binom.pmf(nonzero, draws, mean / score)
    rounded = clopper_pearson_lower(np.rint(nonzero * score).astype(int), draws, alpha)
    assert chances[rounded > mean].sum() > 1.8 * alpha
    votes = clopper_pearson_lower(nonzero, draws, alpha)
    assert binom.pmf(nonzero, draws, mean)[votes > mean].sum() <= alpha


@pytest.mark.parametrize("score", [0.0, 0.1, 0.125, 0.3, 0.875, 0.99, 1.0])
def test_thinning_is_never_likelier_than_the_score(score: float) -> None:
    """Over the whole grid of 3-bit uniforms the share of yes is the score rounded down to an eighth."""
    votes = thin(np.full(8, score), np.arange(8) / 8, uniform_bits=3)
    assert votes.mean() == math.floor(8 * score) / 8


def test_thinned_bound_is_clopper_pearson_on_the_votes() -> None:
    """Thinned votes are honest yes-or-no draws, so their bound is the ordinary one."""
    assert thinned_lower(990, 1000, 0.001) == clopper_pearson_lower(990, 1000, 0.001)


def test_thinning_refuses_shapes_and_ranges_that_do_not_fit() -> None:
    """Each score needs its own uniform, on the grid that was named."""
    with pytest.raises(InvalidParameter, match="one uniform a score"):
        thin(np.zeros(3), np.zeros(2))
    with pytest.raises(InvalidParameter):
        thin(np.array([1.5]), np.zeros(1))
    with pytest.raises(InvalidParameter):
        thin(np.zeros(1), np.ones(1))


def test_sums_that_no_scores_have_are_refused() -> None:
    """Squares cannot exceed the sum, nor fall below its square over n, nor the sum exceed n."""
    with pytest.raises(InvalidParameter):
        empirical_bernstein_lower(5.0, 6.0, 10, 0.1)
    with pytest.raises(InvalidParameter):
        empirical_bernstein_lower(5.0, 2.0, 10, 0.1)
    with pytest.raises(InvalidParameter):
        hoeffding_lower(11.0, 10, 0.1)
