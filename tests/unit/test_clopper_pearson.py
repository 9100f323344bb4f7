"""The Clopper-Pearson bounds and the radii that rest on them: golden values, corners, refusals."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from scipy.special import betainc, ndtr
from statsmodels.stats.proportion import proportion_confint

from certd.errors import InvalidParameter
from certd.statistics import (
    certified_radius_factor,
    clopper_pearson_lower,
    clopper_pearson_upper,
    floor_to,
    gaussian_radius,
    largest_certifiable_radius,
    least_certifying_count,
    lower_bounds_table,
)

# Solved with mpmath at 50 digits, alpha = .001: count, trials, lower bound, its probit.
GOLDEN = [
    (99, 100, 0.911373111296, 1.349259),
    (100, 100, 0.933254300797, 1.500475),
    (990, 1000, 0.976036187155, 1.978010),
    (1000, 1000, 0.993116048421, 2.463263),
    (5100, 10_000, 0.494499306727, 0.0),
    (9000, 10_000, 0.890409733675, 1.228710059796),
    (50_500, 100_000, 0.500108951740, 0.000273101514),
    (90_000, 100_000, 0.897036496224, 1.26484469034),
    (99_999, 100_000, 0.999907669666, 3.73912666854),
    (100_000, 100_000, 0.999930924833, 3.81145656339),
    (1_000_000, 1_000_000, 0.999993092269, 4.34677369870),
    (999_999_999, 10**9, 1 - 9.23341343844e-9, 5.62578310102),
]


@pytest.mark.parametrize(("successes", "trials", "bound", "probit"), GOLDEN)
def test_bound_and_radius_match_the_golden_table(
    successes: int, trials: int, bound: float, probit: float
) -> None:
    """The known values are met; safety costs 2e-11 of the bound and 2e-8 of the radius at most."""
    assert clopper_pearson_lower(successes, trials, 0.001) == pytest.approx(bound, rel=0, abs=2e-11)
    assert gaussian_radius(successes, trials, 0.001, 1.0) == pytest.approx(probit, rel=2e-8, abs=5e-7)


def test_lower_bound_agrees_with_statsmodels() -> None:
    """L(k, n, a) is the lower end of statsmodels' interval at 2a, to 1e-8; safety takes 1e-9 of alpha."""
    rng = np.random.default_rng(20190208)
    trials = np.round(10 ** rng.uniform(0, 6, 500)).astype(np.int64)
    successes = rng.integers(1, trials + 1)
    alpha = 10 ** rng.uniform(-6, -0.4, 500)
    reference = [
        proportion_confint(k, n, 2 * a, "beta")[0] for k, n, a in zip(successes, trials, alpha, strict=True)
    ]
    np.testing.assert_allclose(clopper_pearson_lower(successes, trials, alpha), reference, rtol=1e-8)


@pytest.mark.parametrize(
    ("trials", "least"), [(9, None), (10, 10), (100, 66), (1000, 550), (10_000, 5156), (100_000, 50_490)]
)
def test_least_count_that_certifies_at_all(trials: int, least: int | None) -> None:
    """At alpha = .001 nine draws certify nothing, ten only unanimously."""
    assert least_certifying_count(trials, 0.001) == least


@pytest.mark.parametrize(
    ("radius", "counts"),
    [
        (0.25, [84, 737, 69_598]),
        (0.5, [95, 877, 84_492]),
        (0.75, [100, 957, 93_563]),
        (1.0, [None, 991, 97_870]),
        (1.5, [None, None, 99_900]),
        (2.0, [None, None, None]),
    ],
)
def test_least_count_that_certifies_a_radius(radius: float, counts: list[int | None]) -> None:
    """The least counts at sigma = .5 and n = 100, 1000, 100000 are the known ones."""
    probability = float(ndtr(radius / 0.5))
    found = [least_certifying_count(n, 0.001, probability) for n in (100, 1000, 100_000)]
    assert found == counts


def test_least_count_is_where_the_radius_becomes_positive() -> None:
    """One hit fewer than the least certifying count abstains."""
    least = least_certifying_count(1000, 0.001)
    assert least is not None
    assert gaussian_radius(least, 1000, 0.001, 0.5) > 0
    assert gaussian_radius(least - 1, 1000, 0.001, 0.5) == 0


@pytest.mark.parametrize(
    ("trials", "factor"),
    [(10, 0.00298), (100, 1.50048), (1000, 2.46326), (10**4, 3.19858), (10**6, 4.34677), (10**9, 5.67566)],
)
def test_largest_certifiable_radius(trials: int, factor: float) -> None:
    """The budget alone caps every radius, at sigma Phi^-1(alpha^(1/n))."""
    assert largest_certifiable_radius(trials, 0.001, 2.0) == pytest.approx(2 * factor, rel=0, abs=1.2e-5)


def test_no_hits_bound_nothing() -> None:
    """L(0) = 0 and U(n) = 1, whatever the budget."""
    assert clopper_pearson_lower(0, 5, 0.001) == 0
    assert clopper_pearson_upper(5, 5, 0.001) == 1
    assert gaussian_radius(0, 5, 0.001, 1.0) == 0


def test_scalars_give_floats_and_arrays_are_broadcast() -> None:
    """The container of the result follows the arguments."""
    assert type(clopper_pearson_lower(9, 10, 0.1)) is float
    assert type(gaussian_radius(9, 10, 0.1, 0.5)) is float
    grid = clopper_pearson_lower(np.arange(4)[:, None], np.array([3, 5]), 0.1)
    assert grid.shape == (4, 2)
    assert grid[2, 1] == clopper_pearson_lower(2, 5, 0.1)


def test_table_holds_every_bound_and_cannot_be_written() -> None:
    """Gathering from the table is calling the function."""
    table = lower_bounds_table(200, 0.01)
    np.testing.assert_array_equal(table, clopper_pearson_lower(np.arange(201), 200, 0.01))
    assert not table.flags.writeable


def test_table_of_the_usual_budget_is_quick() -> None:
    """100,001 bounds take well under the five seconds of the processor allowed here."""
    started = time.process_time()
    lower_bounds_table(100_000, 0.00123)
    assert time.process_time() - started < 5


def test_radius_keeps_its_digits_near_one() -> None:
    """Phi^-1 at failure probability 1e-12 is right to nine digits; from 1 - 1e-12 the sixth is lost."""
    assert certified_radius_factor(1e-12) == pytest.approx(7.034483825301132, rel=2e-9)


def test_slack_is_taken_off_the_bound() -> None:
    """The radius under slack d is that of L - d."""
    bound = clopper_pearson_lower(990, 1000, 0.001)
    expected = certified_radius_factor(1 - bound + 0.01)
    assert gaussian_radius(990, 1000, 0.001, 1.0, slack=0.01) == pytest.approx(expected, rel=1e-12)
    assert gaussian_radius(1000, 1000, 0.001, 1.0, slack=0.5) == 0


def test_abstention_is_a_positive_zero() -> None:
    """Abstaining prints as 0.0, never as -0.0."""
    assert math.copysign(1, gaussian_radius(1, 10, 0.001, 1.0)) == 1
    assert math.copysign(1, float(certified_radius_factor(0.5))) == 1


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [(0.2999, 3, 0.299), (0.3, 3, 0.3), (0.29, 2, 0.29), (1.0005, 3, 1.0), (2.675, 2, 2.67), (0.0, 3, 0.0)],
)
def test_printed_radius_is_rounded_down(value: float, decimals: int, expected: float) -> None:
    """Digits are cut off, and a value that has no more digits stays as it is."""
    assert floor_to(value, decimals) == expected


@pytest.mark.parametrize(
    ("successes", "trials", "alpha", "domain"),
    [
        (-1, 10, 0.1, r"successes must lie in \[0, trials\]"),
        (11, 10, 0.1, r"successes must lie in \[0, trials\]"),
        (0, 0, 0.1, r"trials must lie in \[1, 2\*\*31\]"),
        (1, 2**31 + 1, 0.1, r"trials must lie in \[1, 2\*\*31\]"),
        (1, 10, 0.0, r"open interval \(0, 1\)"),
        (1, 10, 1.0, r"open interval \(0, 1\)"),
        (1, 10, math.nan, r"open interval \(0, 1\)"),
        (1.0, 10, 0.1, "whole numbers"),
        (True, 10, 0.1, "whole numbers"),
    ],
)
def test_arguments_outside_their_domain_are_refused(
    successes: int, trials: int, alpha: float, domain: str
) -> None:
    """The message names the domain that was left."""
    for bound in (clopper_pearson_lower, clopper_pearson_upper):
        with pytest.raises(InvalidParameter, match=domain):
            bound(successes, trials, alpha)


def test_radius_refuses_what_is_no_noise_level_slack_or_number() -> None:
    """Noise levels are positive and finite, slack is in [0, 1), printed values are finite."""
    for sigma in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(InvalidParameter, match="sigma must be positive"):
            gaussian_radius(9, 10, 0.1, sigma)
    with pytest.raises(InvalidParameter, match="slack"):
        gaussian_radius(9, 10, 0.1, 1.0, slack=-1e-9)
    with pytest.raises(InvalidParameter, match=r"\(0, 1\]"):
        certified_radius_factor(0.0)
    with pytest.raises(InvalidParameter, match=r"\[0, 1\]"):
        least_certifying_count(10, 0.1, 1.5)
    with pytest.raises(InvalidParameter, match="trials in"):
        lower_bounds_table(10**7 + 1, 0.1)
    with pytest.raises(InvalidParameter, match="finite"):
        floor_to(math.inf, 3)


def test_a_wrong_root_of_the_library_is_not_believed() -> None:
    """Where the library's inverse fails, returning .063 for a root of .025, the bound is right."""
    upper, lower = clopper_pearson_upper(999, 43176, 0.001), clopper_pearson_lower(42177, 43176, 0.001)
    assert upper == pytest.approx(0.025474, abs=5e-5)
    assert lower == pytest.approx(1 - upper, abs=1e-12)
    assert betainc(42177, 1000, lower) <= 0.001 < betainc(42177, 1000, lower * (1 + 1e-9))


@pytest.mark.parametrize("start", [0.0, 1e-300, 0.3, 0.9, 1.0, math.nan, math.inf])
def test_no_start_of_the_library_makes_a_bound_unsafe(start: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the library's inverses return, both bounds are those of good starts, to 1e-9."""
    cases = [(1, 10), (990, 1000), (500, 1000), (3, 100_000), (99_999, 100_000), (42_177, 43_176)]
    expected = [(clopper_pearson_lower(k, n, 0.001), clopper_pearson_upper(k, n, 0.001)) for k, n in cases]
    for name in ("betaincinv", "betainccinv"):
        monkeypatch.setattr(f"certd.statistics.clopper_pearson.{name}", lambda a, *_: np.full(a.shape, start))
    for (k, n), (lower, upper) in zip(cases, expected, strict=True):
        assert clopper_pearson_lower(k, n, 0.001) == pytest.approx(lower, rel=1e-9)
        assert clopper_pearson_upper(k, n, 0.001) == pytest.approx(upper, rel=1e-9)
        assert betainc(k, n - k + 1, clopper_pearson_lower(k, n, 0.001)) <= 0.001
