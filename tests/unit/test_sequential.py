"""Thresholds of plans that look more than once, the anytime bound, and the budget chosen from a pilot."""

from __future__ import annotations

import math
import time
from fractions import Fraction
from functools import cache
from itertools import pairwise
from math import comb
from typing import get_args

import numpy as np
import pytest
from mpmath import MPContext
from scipy.integrate import quad
from scipy.special import betaincc, ndtr
from scipy.stats import binom

from certd.errors import InvalidParameter
from certd.statistics.binomial_walk import BinomialWalk, binomial_mass
from certd.statistics.clopper_pearson import clopper_pearson_lower, gaussian_radius, least_certifying_count
from certd.statistics.martingale import anytime_lower, log_capital
from certd.statistics.pilot import draws_for_precision
from certd.statistics.sequential import (
    GroupSequentialDesign,
    crossing_probability,
    group_sequential_design,
    is_reachable,
    stage_schedule,
)
from certd.statistics.spending import Spending, futility_risks, spent_alpha

mp = MPContext()
mp.dps = 50
ALPHA = 0.001
SPENDINGS: tuple[Spending, ...] = get_args(Spending)
STAGES = stage_schedule(100_000)
RADII = tuple(round(0.25 * j, 2) for j in range(11))


def nulls(factors: tuple[float, ...]) -> tuple[float, ...]:
    """Return Phi of radii in units of sigma, rounded up."""
    return tuple(float(np.nextafter(ndtr(factor), 1)) for factor in factors)


@cache
def design(spending: Spending = "rising") -> GroupSequentialDesign:
    """Return the design of the usual budget for radii every quarter sigma up to 2.5 sigma."""
    return group_sequential_design(nulls(RADII), STAGES, ALPHA, spending)


def exact_crossing(thresholds: list[int], stages: tuple[int, ...], probability: Fraction) -> Fraction:
    """Return the crossing probability in rational arithmetic, one draw at a time."""
    limits = dict(zip(stages, thresholds, strict=True))
    alive, crossed = {0: Fraction(1)}, Fraction(0)
    for draw in range(1, stages[-1] + 1):
        after: dict[int, Fraction] = {}
        for hits, mass in alive.items():
            after[hits] = after.get(hits, Fraction(0)) + mass * (1 - probability)
            after[hits + 1] = after.get(hits + 1, Fraction(0)) + mass * probability
        limit = limits.get(draw, draw + 1)
        crossed += sum((mass for hits, mass in after.items() if hits >= limit), Fraction(0))
        alive = {hits: mass for hits, mass in after.items() if hits < limit}
    return crossed


def test_usual_budget_has_39_looks() -> None:
    """From 100 by steps of 1.2 the budget of 100,000 is reached at the 39th look."""
    assert len(STAGES) == 39
    assert STAGES[:4] == (100, 120, 144, 173)
    assert STAGES[-2:] == (85_056, 100_000)


@pytest.mark.parametrize("largest", [1, 2, 99, 100, 101, 109, 111, 250, 10_000, 123_457])
def test_looks_rise_and_end_with_the_budget(largest: int) -> None:
    """Whatever the budget, the looks rise strictly and the last one spends it."""
    stages = stage_schedule(largest)
    assert stages[-1] == largest
    assert all(before < after for before, after in pairwise((0, *stages)))


@pytest.mark.parametrize(("spending", "early"), [("rising", 0.35), ("even", 0.5)])
@pytest.mark.parametrize("looks", [1, 2, 39])
def test_most_of_alpha_or_half_is_kept_for_the_last_look(
    looks: int, spending: Spending, early: float
) -> None:
    """Up to the last look but one a declared share is spent at most, and all of alpha by the last."""
    spent = spent_alpha(spending, STAGES[-looks:], ALPHA)
    assert len(spent) == looks
    assert spent[-1] == ALPHA
    assert all(before < after for before, after in pairwise((0, *spent)))
    assert max(spent[:-1], default=0) <= early * ALPHA


def test_spending_rises_with_the_cube_root_of_the_draws_or_in_equal_parts() -> None:
    """An eighth of the draws allows half of the early share; the earlier rule counts looks."""
    assert spent_alpha("rising", (1000, 8000, 64_000), ALPHA)[:2] == pytest.approx((0.0000875, 0.000175))
    assert spent_alpha("even", (1000, 8000, 64_000), ALPHA)[:2] == pytest.approx((0.00025, 0.0005))


@pytest.mark.parametrize("spending", SPENDINGS)
@pytest.mark.parametrize("j", range(len(RADII)))
def test_error_at_each_boundary_is_at_most_alpha_and_little_less(j: int, spending: Spending) -> None:
    """At p0_j boundary j is crossed with probability in (.9 alpha, alpha], from 0 to 2.5 sigma."""
    error = crossing_probability(design(spending).certify[:, j].tolist(), STAGES, nulls(RADII)[j])
    assert 0.9 * ALPHA < error <= ALPHA


@pytest.mark.parametrize("spending", SPENDINGS)
def test_error_spent_by_each_look_is_within_its_allowance(spending: Spending) -> None:
    """The plan keeps to the spending that it declares, look by look, not only at its end."""
    certify, allowed = design(spending).certify[:, 2].tolist(), spent_alpha(spending, STAGES, ALPHA)
    for look in (1, 2, 10, 20, 30, 38, 39):
        spent = crossing_probability(certify[:look], STAGES[:look], nulls(RADII)[2])
        assert spent <= allowed[look - 1]


@pytest.mark.parametrize("spending", SPENDINGS)
@pytest.mark.parametrize("probability", [Fraction(1, 2), Fraction(3, 4), Fraction(31, 32)])
def test_error_is_at_most_alpha_in_rational_arithmetic(probability: Fraction, spending: Spending) -> None:
    """Computed without any rounding, the error of a boundary does not exceed alpha."""
    stages, alpha = (10, 17, 40, 64), 0.02
    certify = group_sequential_design((float(probability),), stages, alpha, spending).certify[:, 0].tolist()
    assert exact_crossing(certify, stages, probability) <= Fraction(alpha)


@pytest.mark.parametrize("spending", SPENDINGS)
@pytest.mark.parametrize("largest", [1, 7, 10, 99, 100, 137, 1000, 20_000, 300_000])
@pytest.mark.parametrize("alpha", [1e-9, 1e-6, 0.001, 0.05, 0.4, 0.999])
def test_what_is_within_reach_is_what_a_design_can_certify(
    spending: Spending, largest: int, alpha: float
) -> None:
    """Told from the top count alone as from the whole design, close to every look's limit and far from it."""
    stages = stage_schedule(largest)
    limits = [a ** (1 / n) for n, a in zip(stages, spent_alpha(spending, stages, alpha), strict=True)]
    some = [limits[0], limits[len(limits) // 2], limits[-1], max(limits)]
    close = [limit ** (1 + shift) for limit in some for shift in (-1e-3, -1e-7, 1e-7, 1e-3)]
    for probability in (0.5, 0.75, 0.99, 1 - 1e-6, *close):
        whole = group_sequential_design((probability,), stages, alpha, spending)
        reachable = is_reachable(probability, stages, alpha, spending)
        assert reachable == (whole.certified(stages) == 1), probability


def test_what_is_no_design_is_not_within_reach_either() -> None:
    """An alpha too small for the looks, and no probability, are refused as by the design."""
    for probability, alpha in ((0.5, 1e-300), (1.0, 0.001), (0.0, 0.001)):
        with pytest.raises(InvalidParameter):
            is_reachable(probability, STAGES, alpha)


@pytest.mark.parametrize("thresholds", [[9, 14, 25], [11, 18, 30], [0, 3, 4], [11, 18, 31]])
def test_crossing_probability_is_never_understated(thresholds: list[int]) -> None:
    """The float agrees with rational arithmetic to 1e-8, from above."""
    stages, probability = (10, 17, 30), Fraction(5, 8)
    exact = exact_crossing(thresholds, stages, probability)
    found = Fraction(crossing_probability(thresholds, stages, float(probability)))
    assert exact <= found <= exact * (1 + Fraction(1, 10**8)) + Fraction(1, 10**13)


def test_thresholds_are_the_least_ones() -> None:
    """Lowering the last threshold of a boundary by one hit spends more than alpha."""
    certify = design().certify[:, 3].tolist()
    certify[-1] -= 1
    assert crossing_probability(certify, STAGES, nulls(RADII)[3]) > ALPHA


def test_crossing_is_likelier_for_a_larger_probability() -> None:
    """The error over a whole null is attained at its boundary, so testing the boundary suffices."""
    certify = design().certify[:, 4].tolist()
    errors = [crossing_probability(certify, STAGES, p) for p in np.linspace(0.5, nulls(RADII)[4], 7)]
    assert all(before <= after for before, after in pairwise(errors))


def test_thresholds_and_futility_are_nested() -> None:
    """Hits that certify a probability certify every lower one; hits that give one up give up all above."""
    fine = group_sequential_design(nulls(tuple(0.01 * j for j in range(200))), stage_schedule(1000), ALPHA)
    for one in (design(), design("even"), fine):
        assert (np.diff(one.certify, axis=1) >= 0).all()
        assert (np.diff(one.futility, axis=1) >= 0).all()


def test_nothing_is_certified_and_given_up_at_once() -> None:
    """Futility lies below the threshold at every look, and meets it at the last one."""
    assert (design().futility < design().certify).all()
    np.testing.assert_array_equal(design().futility[-1], design().certify[-1] - 1)


def test_giving_up_early_is_a_small_risk() -> None:
    """An image on course for the last threshold is given up at a look with the risk declared for it."""
    for spending in SPENDINGS:
        one = design(spending)
        on_course = one.certify[-1] / STAGES[-1]
        given_up = binom.cdf(one.futility[:-1], np.array(STAGES[:-1])[:, None], on_course)
        assert (given_up <= futility_risks(spending, STAGES)[:-1, None]).all()


def test_the_risk_rises_with_the_root_of_the_draws_or_stays() -> None:
    """A hundredth of the draws has a tenth of the risk; the earlier rule took .04 whenever it looked."""
    np.testing.assert_allclose(futility_risks("rising", (1000, 100_000)), (0.02, 0.2))
    np.testing.assert_allclose(futility_risks("even", (1000, 100_000)), (0.04, 0.04))


def power(one: GroupSequentialDesign, j: int, p: float) -> float:
    """Return the probability that an image of pA ``p`` is certified at radius j before it is given up."""
    walk, certified = BinomialWalk.begin(), 0.0
    looks = zip(pairwise((0, *STAGES)), one.certify[:, j].tolist(), one.futility[:, j].tolist(), strict=True)
    for (before, draws), threshold, futile in looks:
        walk = walk.after(draws - before, p)
        certified += walk.tail(threshold)
        walk = walk.below(threshold)
        walk.mass[: max(0, futile + 1 - walk.start)] = 0
    return certified


@pytest.mark.parametrize("j", [0, 4, 8])
def test_rising_loses_less_than_even_of_what_the_whole_budget_would_certify(j: int) -> None:
    """Summed over images near the boundary, at least a quarter of the earlier loss is gone."""
    least, null = least_certifying_count(100_000, ALPHA, nulls(RADII)[j]), nulls(RADII)[j]
    assert least is not None
    spread = (null * (1 - null) / 100_000) ** 0.5
    near = null + spread * np.linspace(0, 8, 33)
    whole = binom.sf(least - 1, 100_000, near).sum()
    lost = {spending: whole - sum(power(design(spending), j, p) for p in near) for spending in SPENDINGS}
    assert 0 < lost["rising"] < lost["even"] * 3 / 4


def test_certified_count_is_a_running_maximum() -> None:
    """What was certified at one look stays certified when the hits fall back at the next."""
    certify = design().certify
    first = int(certify[0, 2])
    assert design().certified([]) == 0
    assert design().certified([first]) == 3
    assert design().certified([first, first]) == 3
    assert design().certified([first - 1]) == 2


def test_drawing_stops_when_futile_or_when_all_is_certified_or_at_the_end() -> None:
    """Before the first look nothing is finished; hopeless, perfect and exhausted images are."""
    assert not design().finished([])
    assert design().finished([30])
    assert not design().finished([60])
    small = group_sequential_design(nulls((0.0, 0.25)), STAGES, ALPHA)
    assert small.finished([100])
    assert design().finished([n // 2 + n // 10 for n in STAGES])


def test_one_look_is_clopper_pearson() -> None:
    """With a single look the threshold is the least count whose lower bound exceeds the null."""
    threshold = int(group_sequential_design((0.75,), (1000,), ALPHA).certify[0, 0])
    assert clopper_pearson_lower(threshold, 1000, ALPHA) >= 0.75
    assert clopper_pearson_lower(threshold - 1, 1000, ALPHA) < 0.75


def test_unreachable_radius_is_never_certified_and_given_up_at_once() -> None:
    """Where even n hits of n prove too little, no count certifies and every count is futile."""
    hopeless = group_sequential_design((0.5, 0.999), (50, 100), ALPHA)
    assert (hopeless.certify[:, 1] > (50, 100)).all()
    assert hopeless.finished([50])
    assert hopeless.certified([50, 100]) == 1


def test_thresholds_of_381_radii_are_quick_and_cached() -> None:
    """The finest usual list takes less than five seconds of the processor once, and no time again."""
    probabilities = nulls(tuple(0.01 * j for j in range(381)))
    started = time.process_time()
    first = group_sequential_design(probabilities, STAGES, ALPHA)
    assert time.process_time() - started < 5
    assert group_sequential_design(probabilities, STAGES, ALPHA) is first
    assert not first.certify.flags.writeable


@pytest.mark.parametrize(
    ("trials", "probability"), [(1, 0.3), (100, 0.999), (14_176, 0.5), (14_944, 0.99993)]
)
def test_mass_of_a_step_is_binomial(trials: int, probability: float) -> None:
    """The mass agrees with scipy's to 1e-11 of itself where it matters, and sums to one."""
    lowest, mass = binomial_mass(trials, probability)
    expected = binom.pmf(np.arange(lowest, lowest + len(mass)), trials, probability)
    np.testing.assert_allclose(mass, expected, rtol=1e-11, atol=1e-25)


def test_low_counts_that_are_dropped_move_up() -> None:
    """Cutting the walk off loses no probability below the boundary, not even 1e-14."""
    walk = BinomialWalk.begin().after(100_000, 0.5)
    below = walk.below(50_100)
    assert below.start > walk.start
    whole = math.fsum(walk.mass[: 50_100 - walk.start])
    assert math.fsum(below.mass) == pytest.approx(whole, rel=0, abs=1e-15)


@pytest.mark.parametrize(
    ("probabilities", "stages", "alpha", "message"),
    [
        ((), (10,), 0.1, "rise strictly within"),
        ((0.5, 0.5), (10,), 0.1, "rise strictly within"),
        ((0.5, 1.0), (10,), 0.1, "rise strictly within"),
        ((0.5,), (10, 10), 0.1, "draw counts"),
        ((0.5,), (), 0.1, "draw counts"),
        ((0.5,), (10,), 0.0, "alpha must lie"),
        ((0.5,), (10,), 1.0, "alpha must lie"),
    ],
)
def test_designs_that_are_none_are_refused(
    probabilities: tuple[float, ...], stages: tuple[int, ...], alpha: float, message: str
) -> None:
    """The message names what must hold."""
    with pytest.raises(InvalidParameter, match=message):
        group_sequential_design(probabilities, stages, alpha)


@pytest.mark.parametrize("trail", [[101], [-1], [50, 49], [50, 71], [0] * 40])
def test_trails_that_no_draws_could_leave_are_refused(trail: list[int]) -> None:
    """Hits never fall, and never outnumber the draws between two looks."""
    with pytest.raises(InvalidParameter, match="A trail holds"):
        design().certified(trail)


def test_schedules_that_are_none_are_refused() -> None:
    """A budget, a first look and growth are needed."""
    for arguments in ((0, 100, 1.2), (100, 0, 1.2), (100, 10, 1.0)):
        with pytest.raises(InvalidParameter, match="ratio above 1"):
            stage_schedule(*arguments)


@pytest.mark.parametrize(
    ("successes", "trials", "null"), [(9, 10, 0.5), (3, 3, 0.2), (40, 60, 0.6), (2, 9, 0.5)]
)
def test_capital_is_the_averaged_likelihood_ratio(successes: int, trials: int, null: float) -> None:
    """The closed form equals the integral it stands for, to eight digits and from below."""

    def ratio(q: float) -> float:
        return float((q / null) ** successes * ((1 - q) / (1 - null)) ** (trials - successes))

    average = quad(ratio, null, 1, epsabs=0, epsrel=1e-12)[0] / (1 - null)
    capital = math.exp(log_capital(successes, trials, null))
    assert average * (1 - 1e-8) < capital < average * (1 + 1e-10)


@pytest.mark.parametrize(
    ("successes", "trials"), [(0, 1), (5, 9), (60, 61), (99, 100), (150, 300), (290, 300)]
)
def test_capital_is_below_the_exact_one(successes: int, trials: int) -> None:
    """In rational arithmetic the tail of Beta is a binomial one; rounding takes a billionth, only down."""
    for null in (0.1, 0.5, 0.75, 0.96875):
        p = Fraction(null)
        tail = sum(comb(trials + 1, i) * p**i * (1 - p) ** (trials + 1 - i) for i in range(successes + 1))
        average = tail / ((trials + 1) * comb(trials, successes))
        capital = Fraction(average / (p**successes * (1 - p) ** (trials - successes + 1)))
        exact = mp.log(mp.mpf(capital.numerator) / capital.denominator)
        assert exact - 1e-8 < log_capital(successes, trials, null) <= exact


@pytest.mark.parametrize(
    ("successes", "trials"),
    [
        (820_639_272, 820_640_879), (508_837_408, 514_658_125), (740_958_936, 741_234_243),
        (664_093_290, 664_095_471), (579_029_554, 579_030_182), (999_999_999, 10**9), (6 * 10**8, 10**9),
        (99_990, 100_000), (600, 1000),
    ],
)  # fmt: skip
def test_capital_of_many_draws_is_below_the_exact_one(successes: int, trials: int) -> None:
    """The beta function of large numbers is a small difference of large ones; its error is allowed for."""
    null = anytime_lower([(successes, trials)], ALPHA)
    a, b = successes + 1, trials - successes + 1
    beta = mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)
    share = mp.log(float(betaincc(a, b, null)))
    exact = beta + share - successes * mp.log(null) - b * mp.log(1 - mp.mpf(null))
    assert exact - 1e-4 < log_capital(successes, trials, null) <= exact


def test_capital_is_a_fair_game_at_the_null() -> None:
    """The expected capital after the next draw is the present one, whatever the past."""
    for successes, trials, null in ((0, 0, 0.5), (4, 5, 0.7), (70, 100, 0.6)):
        won, lost = (log_capital(successes + hit, trials + 1, null) for hit in (1, 0))
        expected = null * math.exp(won) + (1 - null) * math.exp(lost)
        assert expected == pytest.approx(math.exp(log_capital(successes, trials, null)), rel=1e-7)


def test_anytime_bound_is_where_the_capital_reaches_its_goal() -> None:
    """At the bound the capital is 1 / alpha; a little above it is not."""
    bound = anytime_lower([(900, 1000)], ALPHA)
    assert log_capital(900, 1000, bound) >= -math.log(ALPHA)
    assert log_capital(900, 1000, bound + 1e-9) < -math.log(ALPHA)


def test_rejected_nulls_form_an_interval() -> None:
    """Every null below the anytime bound is rejected by the same look, for alpha as large as 1 / e."""
    for successes, trials in ((1, 1), (2, 3), (30, 100), (999, 1000)):
        bound = anytime_lower([(successes, trials)], 1 / math.e)
        below = np.linspace(0, bound, 200, endpoint=False)[1:]
        assert all(log_capital(successes, trials, null) >= 1 for null in below)


def test_anytime_bound_never_falls_and_costs_little() -> None:
    """A later, poorer look takes nothing back; at 90,000 hits of 100,000 looking at any time costs .0015."""
    assert anytime_lower([(900, 1000), (900, 1200)], ALPHA) == anytime_lower([(900, 1000)], ALPHA)
    assert anytime_lower([], ALPHA) == anytime_lower([(0, 10)], ALPHA) == 0
    fixed = clopper_pearson_lower(90_000, 100_000, ALPHA)
    assert fixed - 0.0015 < anytime_lower([(90_000, 100_000)], ALPHA) < fixed


def test_anytime_bound_refuses_what_lies_outside_its_domain() -> None:
    """Counts, nulls and alpha have domains, and the messages name them."""
    with pytest.raises(InvalidParameter, match=r"\(0, 1/e\]"):
        anytime_lower([(1, 2)], 0.5)
    with pytest.raises(InvalidParameter, match=r"\[0, trials\]"):
        anytime_lower([(3, 2)], ALPHA)
    with pytest.raises(InvalidParameter, match=r"\(0, 1\)"):
        log_capital(1, 2, 1.0)


def test_hopeless_and_saturated_images_are_told_apart_by_the_pilot() -> None:
    """An image beyond certifying gets the least budget, one whose radius the budget caps nearly all of it."""
    assert draws_for_precision(200, 1000, 100_000, ALPHA, 0.05) == 100
    assert draws_for_precision(1000, 1000, 100_000, ALPHA, 0.05) >= 80_000


@pytest.mark.parametrize("probability", [0.55, 0.7, 0.9, 0.99, 0.999])
def test_chosen_budget_meets_the_tolerance(probability: float) -> None:
    """At the expected counts the radius lies within .05 sigma of that of the whole budget."""
    chosen = draws_for_precision(round(1000 * probability), 1000, 100_000, ALPHA, 0.05)
    best, found = (gaussian_radius(math.floor(n * probability), n, ALPHA, 1.0) for n in (100_000, chosen))
    assert best - found <= 0.05


def test_a_looser_tolerance_never_needs_more_draws() -> None:
    """The budget falls as the tolerance grows."""
    budgets = [draws_for_precision(950, 1000, 100_000, ALPHA, t) for t in (0.01, 0.05, 0.2, 1.0, 10.0)]
    assert budgets == sorted(budgets, reverse=True)


def test_tolerance_must_be_positive() -> None:
    """A radius cannot be had without error."""
    with pytest.raises(InvalidParameter, match="positive number of sigmas"):
        draws_for_precision(9, 10, 100, ALPHA, 0.0)
