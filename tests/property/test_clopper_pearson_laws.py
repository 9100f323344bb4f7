"""Laws of the Clopper-Pearson bounds, held against exact tails at 50 digits."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mpmath import exp, fsum, log, loggamma, mp, mpf
from scipy.stats import binom

from certd.statistics import (
    clopper_pearson_lower,
    clopper_pearson_upper,
    floor_to,
    gaussian_radius,
    least_certifying_count,
)

ALPHAS = st.floats(-9, -0.01).map(lambda exponent: float(10**exponent))


@st.composite
def outcomes(draw: st.DrawFn, largest: int = 2**31) -> tuple[int, int]:
    """Draw (successes, trials) with at least one success, fond of both ends and of huge budgets."""
    trials = int(2 ** draw(st.floats(0, math.log2(largest))))
    near_end = draw(st.integers(1, min(trials, 2000)))
    anywhere = draw(st.integers(1, trials)) if trials < 10**6 else near_end
    return draw(st.sampled_from([near_end, trials - near_end + 1, anywhere])), trials


def exact_upper_tail(successes: int, trials: int, failure: Fraction | float) -> mpf:
    """Return P(Bin(trials, 1 - failure) >= successes) at 50 digits, summed from its largest term on."""
    with mp.workdps(50):
        q = mpf(failure.numerator) / failure.denominator if isinstance(failure, Fraction) else mpf(failure)
        k, n = successes, trials
        head = exp(
            loggamma(n + 1) - loggamma(k + 1) - loggamma(n - k + 1) + k * log(1 - q) + (n - k) * log(q)
        )
        terms, odds = [head], (1 - q) / q
        for i in range(k, n):
            terms.append(terms[-1] * odds * (n - i) / (i + 1))
            if terms[-1] < terms[0] * mpf(10) ** -40:
                break
        return fsum(terms)


@settings(deadline=None)
@given(outcomes(), ALPHAS)
@example((12, 906_829_722), 0.6621658041102257)
@example((5_432_509, 46_524_738), 0.0049959312575071115)
@example((825_472_221, 825_472_223), 2.3389524834810597e-07)
@example((1, 1), 1e-9)
@example((42_177, 43_176), 0.001)  # the library's inverse fails here
def test_lower_bound_is_never_above_the_true_bound(outcome: tuple[int, int], alpha: float) -> None:
    """At the bound the exact tail is below alpha; were it rounded up it would be above."""
    successes, trials = outcome
    bound = Fraction(clopper_pearson_lower(successes, trials, alpha))
    assert exact_upper_tail(successes, trials, 1 - bound) <= mpf(alpha)


@given(outcomes(), ALPHAS)
@example((825_472_221, 825_472_223), 2.3389524834810597e-07)
@example((100_000, 100_000), 0.001)
def test_failure_bound_behind_a_radius_is_safe_and_tight(outcome: tuple[int, int], alpha: float) -> None:
    """At U(n - k) the exact tail is below alpha, by 1e-6 of it at most while the bound is below one half."""
    successes, trials = outcome
    failure = clopper_pearson_upper(trials - successes, trials, alpha)
    if failure < 1:
        tail = exact_upper_tail(successes, trials, failure)
        assert tail <= mpf(alpha)
        assert failure > 0.5 or tail >= mpf(alpha) * (1 - mpf("1e-6"))


@given(st.integers(1, 60), ALPHAS, st.floats(0.001, 0.999))
def test_coverage_is_at_least_one_minus_alpha(trials: int, alpha: float, probability: float) -> None:
    """Summed over all outcomes, the bound exceeds the parameter with probability at most alpha."""
    counts = np.arange(trials + 1)
    false = clopper_pearson_lower(counts, trials, alpha) > probability
    assert binom.pmf(counts[false], trials, probability).sum() <= alpha * (1 + 1e-9)


@given(outcomes(largest=10**6), ALPHAS)
def test_one_more_hit_never_lowers_the_bound(outcome: tuple[int, int], alpha: float) -> None:
    """L rises with the count, up to the rounding margin of the equation."""
    successes, trials = outcome
    before, after = clopper_pearson_lower(np.array([successes - 1, successes]), trials, alpha)
    assert before < after


@given(outcomes(), ALPHAS)
def test_upper_bound_mirrors_the_lower_one(outcome: tuple[int, int], alpha: float) -> None:
    """U(n - k) and L(k) bound one event under its two names: they add up to 1, to a few roundings."""
    successes, trials = outcome
    lower = clopper_pearson_lower(successes, trials, alpha)
    failure = clopper_pearson_upper(trials - successes, trials, alpha)
    assert math.isclose(lower + failure, 1, rel_tol=0, abs_tol=1e-15)


@given(st.integers(1, 10**5), ALPHAS, st.floats(0, 1))
def test_least_certifying_count_is_least(trials: int, alpha: float, probability: float) -> None:
    """The bound of k* exceeds the probability and that of k* - 1 does not."""
    count = least_certifying_count(trials, alpha, probability)
    if count is None:
        assert clopper_pearson_lower(trials, trials, alpha) <= probability
    else:
        assert clopper_pearson_lower(count, trials, alpha) > probability
        assert clopper_pearson_lower(count - 1, trials, alpha) <= probability


@given(outcomes(), ALPHAS, st.floats(0, 0.1))
def test_slack_never_enlarges_a_radius(outcome: tuple[int, int], alpha: float, slack: float) -> None:
    """Noise that is only nearly Gaussian certifies no more than Gaussian noise."""
    with_slack = gaussian_radius(*outcome, alpha, 0.5, slack=slack)
    assert with_slack <= gaussian_radius(*outcome, alpha, 0.5)


@given(st.floats(0, 50), st.integers(0, 6))
def test_rounding_down_is_idempotent_and_never_up(value: float, decimals: int) -> None:
    """The printed value is not above the float, nor more than one unit of its last digit below."""
    printed = floor_to(value, decimals)
    assert printed <= value
    assert value - printed < 10.0**-decimals * (1 + 1e-9)
    assert floor_to(printed, decimals) == printed
