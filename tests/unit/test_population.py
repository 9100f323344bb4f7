"""Statements about the population, at known values and in the case that needs their correction."""

from __future__ import annotations

import numpy as np
import pytest

from certd.errors import InvalidParameter
from certd.statistics.betting import betting_lower
from certd.statistics.clopper_pearson import clopper_pearson_lower
from certd.statistics.population import (
    accuracy_at_radius,
    accuracy_curve_berk_jones,
    accuracy_curve_dkw,
    average_certified_radius,
    vote_share_distribution,
)


def test_accuracy_at_one_radius_is_clopper_pearson_less_alpha() -> None:
    """300 of 500 at delta .05: (L - alpha) / (1 - alpha), rounded down."""
    exact = (clopper_pearson_lower(300, 500, 0.05) - 0.001) / 0.999
    value = accuracy_at_radius(300, 500, 0.001, 0.05).values[0]
    assert exact - 1e-11 < value <= exact


def test_accuracy_curve_by_dkw_at_a_known_value() -> None:
    """(F - e - alpha) / (1 - alpha) with e = sqrt(ln(1/g) / 2m)."""
    value = accuracy_curve_dkw(np.array([300]), 500, 0.001, 0.05).values[0]
    assert value == pytest.approx((0.6 - np.sqrt(np.log(20) / 1000) - 0.001) / 0.999, abs=1e-8)


def test_certificates_that_are_all_false_prove_nothing() -> None:
    """A population without one robust image yields alpha m false certificates; each statement says 0."""
    m, alpha = 1000, 0.05
    false = np.array([50])
    assert accuracy_at_radius(50, m, alpha, 0.05).values == (0.0,)
    assert accuracy_curve_dkw(false, m, alpha, 0.05).values == (0.0,)
    assert accuracy_curve_berk_jones(false, m, alpha, 0.05).values == (0.0,)
    radii = np.where(np.random.default_rng(5).random(m) < alpha, 1.0, 0.0)
    assert average_certified_radius(radii, 1.0, alpha, 0.05).values == (0.0,)


def test_average_radius_is_scaled_and_corrected() -> None:
    """The bound is (betting - alpha R_max) / (1 - alpha), in the units of the radii."""
    radii = np.random.default_rng(3).random(500)
    value = average_certified_radius(radii, 2.0, 0.01, 0.05).values[0]
    exact = (betting_lower(radii, 2.0, 0.05) - 0.01 * 2.0) / 0.99
    assert exact - 1e-9 < value <= exact


def test_betting_against_coins_all_heads() -> None:
    """Ones only: wealth against m is at most (1 + .75 (1-m)/m)**n, and the bound is where it is 1/delta."""
    n, delta = 100, 0.05
    lower = betting_lower(np.ones(n), 1.0, delta)
    assert (1 + 0.75 * (1 - lower) / lower) ** n >= 1 / delta
    assert 0.95 < lower < 0.9706  # no bound may exceed delta**(1/n)


def test_betting_beats_hoeffding_where_values_vary_little() -> None:
    """At 2000 values in [.28, .32] the bound lies within .005 of the mean; Hoeffding's lies .041 below."""
    values = np.random.default_rng(4).uniform(0.28, 0.32, 2000)
    assert values.mean() - 0.005 < betting_lower(values, 1.0, 0.001) < values.mean()


def test_every_statement_carries_its_assumptions() -> None:
    """Images and noise must be independent, and each sentence says so and gives its level."""
    counts = np.array([40])
    statements = [
        accuracy_at_radius(40, 50, 0.001, 0.05),
        accuracy_curve_dkw(counts, 50, 0.001, 0.05),
        accuracy_curve_berk_jones(counts, 50, 0.001, 0.05),
        average_certified_radius([0.5] * 50, 1.0, 0.001, 0.05),
        vote_share_distribution(50, 0.05),
    ]
    assert all("noise independent across images" in s.sentence for s in statements)
    assert all(s.level == 0.95 and "0.95" in s.sentence for s in statements)
    assert len({s.name for s in statements}) == len(statements)


def test_radii_beyond_the_largest_are_refused() -> None:
    """The bound on the mean rests on the largest radius being known beforehand."""
    with pytest.raises(InvalidParameter, match="values"):
        average_certified_radius([1.5], 1.0, 0.001, 0.05)
