"""Statements about all certificates of a run, at known values and over exact binomials."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from certd.errors import InvalidParameter
from certd.statistics.fixed_images import (
    accuracy_of_these_images,
    accuracy_of_these_images_bernstein,
    all_certificates_hold,
)
from certd.statistics.simultaneous import (
    any_false_probability,
    bonferroni_alpha,
    false_certificates_quantile,
    holm,
)


@pytest.mark.parametrize(("m", "false"), [(500, 4), (1000, 5), (10_000, 21), (50_000, 73)])
def test_number_of_false_certificates_at_alpha_one_in_a_thousand(m: int, false: int) -> None:
    """With probability .999 at most 4 of 500, 5 of 1000, 21 of 10,000 and 73 of 50,000 are false."""
    assert false_certificates_quantile(m, 0.001) == false


@pytest.mark.parametrize("m", [1, 7, 500, 10_000])
@pytest.mark.parametrize("alpha", [0.001, 0.01, 0.3])
@pytest.mark.parametrize("probability", [0.5, 0.999, 1 - 1e-9])
def test_more_are_false_only_with_the_probability_left(m: int, alpha: float, probability: float) -> None:
    """The quantile is exceeded with probability at most one minus its level, and one less would not do."""
    quantile = false_certificates_quantile(m, alpha, probability)
    assert binom.sf(quantile, m, alpha) <= 1 - probability
    assert quantile == 0 or binom.sf(quantile - 1, m, alpha) * (1 + 2e-9) > 1 - probability


def test_ten_thousand_certificates_almost_surely_may_hold_a_false_one() -> None:
    """1 - .999**10000 = .9999548; for two images it is 1 - .999**2."""
    assert any_false_probability(10_000, 0.001) == pytest.approx(1 - 4.517e-5, abs=1e-8)
    assert any_false_probability(2, 0.001) == pytest.approx(0.001999, rel=1e-8)
    assert any_false_probability(2, 0.001) > 0.001999


def test_all_certificates_statement_names_its_level_and_assumption() -> None:
    """The sentence carries the probability that all hold and the independence it rests on."""
    statement = all_certificates_hold(500, 0.001)
    assert statement.level == pytest.approx(0.999**500, rel=1e-8)
    assert statement.level <= 0.999**500
    assert "0.606" in statement.sentence
    assert "independent" in statement.sentence


def test_bonferroni_alpha_is_not_rounded_up() -> None:
    """The m shares never add up to more than alpha."""
    assert bonferroni_alpha(0.001, 3) * 3 <= 0.001
    assert bonferroni_alpha(0.001, 3) == pytest.approx(0.001 / 3)


def test_holm_marks_step_by_step() -> None:
    """p-values .5**10, .5**9 and .5**8 at p0 = 1/2 need alpha above 3, 2 and 1 times themselves in turn."""
    hits = np.array([10, 9, 8])
    assert holm(hits, hits, 0.5, 0.003).tolist() == [True, False, False]
    assert holm(hits, hits, 0.5, 0.00395).tolist() == [True, True, True]
    assert holm(hits, hits, 0.5, 0.0029).tolist() == [False, False, False]


@pytest.mark.statistical
def test_holm_errs_with_probability_at_most_alpha() -> None:
    """One image just below p0 beside one far above: over every outcome it is marked at most alpha often.

    Exact, so it never alarms falsely; it is here because the library takes 25 ms a call.
    """
    n, p0, alpha = 6, 0.6, 0.25
    counts = np.arange(n + 1)
    false, true = binom.pmf(counts, n, 0.5999), binom.pmf(counts, n, 0.99)
    error = sum(false[i] * true[j] for i in counts for j in counts if holm(np.array([i, j]), n, p0, alpha)[0])
    assert 0.8 * alpha < error <= alpha


def test_curve_of_these_images_loses_the_false_certificates() -> None:
    """300 of 500 certified at alpha .001 leave (300 - 4) / 500, and nothing falls below 0."""
    statement = accuracy_of_these_images(np.array([300, 3]), 500, 0.001)
    assert statement.values[0] == pytest.approx(296 / 500, abs=2e-9)
    assert statement.values[0] <= 296 / 500
    assert statement.values[1] == 0.0
    assert "independent across images" in statement.sentence


@pytest.mark.parametrize("m", [500, 10_000, 50_000])
def test_bernstein_bound_holds_where_the_one_without_the_factor_two_fails(m: int) -> None:
    """Exceeded at most rho of the time; without the factor 2, .0016 of it at 10,000, .0030 at 50,000."""
    alpha = rho = 0.001
    lost = 1 - accuracy_of_these_images_bernstein(np.array([m]), m, alpha, rho).values[0]
    assert binom.sf(np.floor(m * lost), m, alpha) <= rho
    log = -np.log(rho) / m
    halved = alpha + np.sqrt(alpha * (1 - alpha) * log) + log / 3
    assert (binom.sf(np.floor(m * halved), m, alpha) > rho) == (m > 500)


@pytest.mark.parametrize("m", [500, 10_000])
def test_exact_quantile_beats_bernstein(m: int) -> None:
    """The binomial quantile takes no more from the curve than the inequality of Cohen et al."""
    exact = accuracy_of_these_images(np.array([m]), m, 0.001, 0.999).values[0]
    assert exact >= accuracy_of_these_images_bernstein(np.array([m]), m, 0.001, 0.001).values[0]


def test_arguments_outside_their_domain_are_refused() -> None:
    """Each message names the argument."""
    with pytest.raises(InvalidParameter, match="alpha"):
        bonferroni_alpha(1.0, 5)
    with pytest.raises(InvalidParameter, match="m must"):
        false_certificates_quantile(0, 0.001)
    with pytest.raises(InvalidParameter, match="one count an image"):
        holm(np.array([11]), 10, 0.5, 0.1)
    with pytest.raises(InvalidParameter, match="certified"):
        accuracy_of_these_images(np.array([501]), 500, 0.001)
