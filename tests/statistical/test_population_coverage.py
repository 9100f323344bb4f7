"""Simulations of the statements about a population.

Every test counts failures over independent repetitions and allows the number that a statement failing with
exactly its delta would exceed with probability 1e-6. So each test raises a false alarm at most once in a
million seeds; the seeds are fixed.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from certd.statistics.bands import berk_jones_lower
from certd.statistics.betting import betting_lower
from certd.statistics.clopper_pearson import clopper_pearson_lower
from certd.statistics.means import empirical_bernstein_lower, thin, thinned_lower
from certd.statistics.population import (
    accuracy_curve_berk_jones,
    accuracy_curve_dkw,
    average_certified_radius,
)

FALSE_ALARM = 1e-6
pytestmark = pytest.mark.statistical


def allowed(repetitions: int, delta: float) -> int:
    """Return the failures that a statement at its promised level exceeds once in a million runs."""
    return int(binom.isf(FALSE_ALARM, repetitions, delta))


def test_berk_jones_band_covers_a_continuous_law_as_often_as_promised() -> None:
    """The band fails in a fraction delta of 4000 samples of 200, no more and, being exact, no fewer.

    False-alarm rate 2e-6: one part in a million on either side.
    """
    repetitions, m, delta = 4000, 200, 0.05
    ordered = np.sort(np.random.default_rng(11).random((repetitions, m)), axis=1)
    failures = int((ordered < berk_jones_lower(np.arange(1, m + 1), m, delta)).any(axis=1).sum())
    assert binom.ppf(FALSE_ALARM, repetitions, delta * 0.999) <= failures <= allowed(repetitions, delta)


def test_berk_jones_band_covers_a_discrete_law() -> None:
    """Radii on a grid of four values: the survival curve stays above the band except in delta of samples.

    False-alarm rate 1e-6.
    """
    repetitions, m, delta = 4000, 100, 0.1
    true = np.array([0.9, 0.5, 0.2, 0.01])
    uniforms = np.random.default_rng(12).random((repetitions, m, 1))
    counts = (uniforms < true).sum(axis=1)
    failures = int((berk_jones_lower(np.arange(m + 1), m, delta)[counts] > true).any(axis=1).sum())
    assert failures <= allowed(repetitions, delta)


@pytest.mark.parametrize("chance", [0.02, 0.5, 0.97])
def test_betting_bound_stays_below_the_mean(chance: float) -> None:
    """Over 2000 samples of 120 coins of any bias the bound exceeds the mean at most delta often.

    False-alarm rate 1e-6.
    """
    repetitions, delta = 2000, 0.1
    coins = (np.random.default_rng(13).random((repetitions, 120)) < chance).astype(float)
    failures = sum(betting_lower(sample, 1.0, delta) > chance for sample in coins)
    assert failures <= allowed(repetitions, delta)


def test_false_certificates_do_not_break_the_population_statements() -> None:
    """Where nobody is robust at the one radius and each image is certified at rate alpha, all say 0.

    Over 400 runs of 3000 images, each statement exceeds the true 0 at most delta often; without its
    correction the curve would claim about alpha - .03 every time. False-alarm rate 1e-6 a statement.
    """
    repetitions, m, alpha, delta = 400, 3000, 0.2, 0.05
    certified = np.random.default_rng(14).binomial(m, alpha, repetitions)
    radii = (np.arange(m) < certified[:, None]).astype(float)
    shuffled = np.random.default_rng(15).permuted(radii, axis=1)
    curves = [accuracy_curve_dkw, accuracy_curve_berk_jones]
    for curve in curves:
        assert sum(curve(np.array([c]), m, alpha, delta).values[0] > 0 for c in certified) <= allowed(
            repetitions, delta
        )
    averages = [average_certified_radius(run, 1.0, alpha, delta).values[0] for run in shuffled]
    assert sum(value > 0 for value in averages) <= allowed(repetitions, delta)


def test_whole_chain_from_draws_to_population() -> None:
    """Images of random pA, 50 draws, alpha .1: the true curve and average stay above their statements.

    The radius is pA's Clopper-Pearson bound itself, in place of its quantile, so that truths are known:
    G(t) = 1 - t for uniform pA, average 1/2. False-alarm rate 1e-6 a statement.
    """
    repetitions, m, n, alpha, delta = 400, 300, 50, 0.1, 0.1
    generator = np.random.default_rng(16)
    radii = clopper_pearson_lower(generator.binomial(n, generator.random((repetitions, m))), n, alpha)
    grid = np.linspace(0.05, 0.9, 18)
    counts = (radii[:, :, None] >= grid).sum(axis=1)
    failed_curves = sum(
        (np.array(accuracy_curve_berk_jones(c, m, alpha, delta).values) > 1 - grid).any() for c in counts
    )
    averages = [average_certified_radius(run, 1.0, alpha, delta).values[0] for run in radii]
    assert failed_curves <= allowed(repetitions, delta)
    assert sum(value > 0.5 for value in averages) <= allowed(repetitions, delta)


def test_soft_vote_bounds_stay_below_the_mean_of_a_skewed_law() -> None:
    """Scores of Beta(.3, .1), 200 draws: empirical Bernstein and thinning err at most alpha often.

    False-alarm rate 1e-6 a bound.
    """
    repetitions, draws, alpha, mean = 3000, 200, 0.1, 0.75
    generator = np.random.default_rng(17)
    scores = generator.beta(0.3, 0.1, (repetitions, draws))
    votes = thin(scores, generator.random(scores.shape)).sum(axis=1)
    bernstein = [empirical_bernstein_lower(s.sum(), (s**2).sum(), draws, alpha) > mean for s in scores]
    thinned = [thinned_lower(int(v), draws, alpha) > mean for v in votes]
    assert sum(bernstein) <= allowed(repetitions, alpha)
    assert sum(thinned) <= allowed(repetitions, alpha)
