"""Laws of the whole-set statements, two-sided, top-k and soft-vote bounds, over their whole domains."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from certd.statistics import betting
from certd.statistics.betting import betting_lower, stakes_before
from certd.statistics.crossing import crossing_probability
from certd.statistics.means import empirical_bernstein_lower, hoeffding_lower, thin
from certd.statistics.no_split import no_split_lower
from certd.statistics.population import accuracy_at_radius, accuracy_curve_dkw
from certd.statistics.simultaneous import bonferroni_alpha, holm
from certd.statistics.top_k import top_k_bounds, top_k_radius
from certd.statistics.two_sided import two_sided_bounds, two_sided_radius

unhurried = settings(deadline=None)  # a busy machine breaks no law
alphas = st.floats(1e-6, 0.4)
probabilities = st.floats(0.001, 0.999)
class_counts = st.lists(st.integers(0, 2000), min_size=3, max_size=6).filter(any).map(np.array)
scores = st.lists(st.floats(0, 1), min_size=2, max_size=60).map(np.array)


def exact_crossing(levels: list[Fraction]) -> Fraction:
    """Integrate the density of the ordered uniforms above their levels, in rational arithmetic."""
    density, factorial = [Fraction(1)], Fraction(1)
    for rank, level in enumerate(levels, start=1):
        integral = [Fraction(0), *(c / (i + 1) for i, c in enumerate(density))]
        integral[0] = -sum((c * level**i for i, c in enumerate(integral)), Fraction(0))
        density, factorial = integral, factorial * rank
    return 1 - factorial * sum(density)


@unhurried
@given(st.lists(st.integers(0, 255), min_size=1, max_size=9))
def test_crossing_probability_agrees_with_rational_integration(numerators: list[int]) -> None:
    """The recursion equals the m-fold integral computed without any rounding, ties and zeros included."""
    levels = [Fraction(n, 256) for n in sorted(numerators)]
    computed = crossing_probability(np.array([float(level) for level in levels]))
    assert computed == pytest.approx(float(exact_crossing(levels)), abs=1e-13)


@unhurried
@given(class_counts, alphas)
def test_no_split_bound_is_zero_or_between_half_and_the_share(counts: np.ndarray, alpha: float) -> None:
    """Nothing at or below one half is ever claimed, nor more than the observed share."""
    bound = no_split_lower(counts, alpha)
    assert bound == 0.0 or 0.5 < bound < counts.max() / counts.sum() + 1e-12


@unhurried
@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500), alphas)
def test_a_stronger_rival_never_lengthens_the_radius(top: int, rival: int, rest: int, alpha: float) -> None:
    """Moving votes from the rest to the rival leaves pA's bound alone and may only raise pB's."""
    draws = top + rival + rest + 1
    weak = two_sided_bounds(top, rival, draws, alpha)
    strong = two_sided_bounds(top, rival + rest, draws, alpha)
    assert two_sided_radius(*strong) <= two_sided_radius(*weak)


@unhurried
@given(class_counts, alphas)
def test_top_k_bounds_enclose_the_observed_shares(counts: np.ndarray, alpha: float) -> None:
    """The label's bound lies below its share, each rival's above its own, in falling order."""
    lower, rivals = top_k_bounds(counts, 0, 2, alpha)
    shares = np.sort(counts[1:])[::-1][:2] / counts.sum()
    assert lower <= counts[0] / counts.sum()
    assert rivals[0] >= rivals[1]
    assert (np.array(rivals) >= shares).all()


@unhurried
@given(probabilities, st.lists(st.floats(0.001, 1), min_size=2, max_size=5))
def test_radius_never_falls_as_k_grows(p_lower: float, rivals: list[float]) -> None:
    """Being among more classes is easier: one more, weaker rival cannot shorten the radius."""
    falling = sorted(rivals, reverse=True)
    radii = [top_k_radius(p_lower, falling[:k]) for k in range(1, len(falling) + 1)]
    assert all(after >= before * (1 - 1e-6) for before, after in pairwise(radii))


@unhurried
@given(scores, alphas)
def test_bounds_on_means_stay_below_the_mean(values: np.ndarray, alpha: float) -> None:
    """A lower bound at alpha below one half never exceeds what was observed, nor falls below 0."""
    total, squares, draws = float(values.sum()), float((values**2).sum()), len(values)
    assert 0.0 <= hoeffding_lower(total, draws, alpha) <= values.mean()
    assert 0.0 <= empirical_bernstein_lower(total, squares, draws, alpha) <= values.mean()


@unhurried
@given(scores, st.integers(0, 2**32))
def test_raising_a_score_never_loses_a_vote(values: np.ndarray, seed: int) -> None:
    """With the same uniforms, votes rise with scores; 0 never votes yes and 1 always does."""
    uniforms = np.random.default_rng(seed).random(len(values))
    votes = thin(values, uniforms)
    assert (votes <= thin(np.sqrt(values), uniforms)).all()
    assert not votes[values == 0].any()
    assert votes[values == 1].all()


@unhurried
@given(scores, alphas, st.floats(0.01, 100))
def test_betting_bound_scales_with_its_unit(values: np.ndarray, delta: float, unit: float) -> None:
    """Radii in other units give the same bound in those units, between 0 and the largest value."""
    lower = betting_lower(values, 1.0, delta)
    assert 0.0 <= lower <= values.max()
    assert betting_lower(np.minimum(values * unit, unit), unit, delta) == pytest.approx(
        lower * unit, rel=1e-6, abs=1e-9 * unit
    )


@unhurried
@given(scores, alphas, st.integers(1, 9))
def test_betting_in_blocks_changes_no_bit(values: np.ndarray, delta: float, block: int) -> None:
    """However long a block is, and where equal values are kept once: the whole past is carried over."""
    distinct, order = np.unique(values, return_inverse=True)
    whole, stakes = betting_lower(values, 1.0, delta), stakes_before(values, delta)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(betting, "BLOCK", block)
        assert betting_lower(values, 1.0, delta) == whole
        assert betting_lower(distinct, 1.0, delta, order.astype(np.int32)) == whole
        assert (stakes_before(values, delta) == stakes).all()


@unhurried
@given(scores, st.integers(0, 59), st.floats(0, 1))
def test_a_stake_never_sees_the_value_it_is_placed_on(values: np.ndarray, place: int, other: float) -> None:
    """Changing one value leaves its own stake and all earlier ones as they were."""
    place %= len(values)
    changed = values.copy()
    changed[place] = other
    assert (stakes_before(values, 0.05)[: place + 1] == stakes_before(changed, 0.05)[: place + 1]).all()


@pytest.mark.statistical
@settings(unhurried, max_examples=30)  # statsmodels collects garbage on every call, some 25 ms
@given(st.lists(st.integers(0, 100), min_size=1, max_size=12).map(np.array), probabilities, alphas)
def test_holm_marks_all_that_bonferroni_marks(hits: np.ndarray, p0: float, alpha: float) -> None:
    """Each image certified on its own at alpha / m stays certified, and better counts are marked first."""
    marked = holm(hits, 100, p0, alpha)
    alone = binom.sf(hits - 1, 100, p0) * (1 + 1e-6) <= bonferroni_alpha(alpha, len(hits))
    assert (marked >= alone).all()
    assert not marked.any() or hits[marked].min() > hits[~marked].max(initial=-1)


@unhurried
@given(st.integers(1, 2000), st.floats(0, 1), alphas, alphas)
def test_population_statements_stay_below_the_observed_fraction(
    m: int, share: float, alpha: float, delta: float
) -> None:
    """Neither the statement at one radius nor the curve claims more than was certified."""
    certified = int(share * m)
    for values in (
        accuracy_at_radius(certified, m, alpha, delta).values,
        accuracy_curve_dkw(np.array([certified]), m, alpha, delta).values,
    ):
        assert 0.0 <= values[0] <= certified / m
