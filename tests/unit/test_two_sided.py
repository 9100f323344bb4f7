"""The two-sided radius, at known values and at its edges."""

from __future__ import annotations

import math

import pytest
from scipy.special import ndtri

from certd.errors import InvalidParameter
from certd.statistics.clopper_pearson import gaussian_radius
from certd.statistics.two_sided import two_sided_bounds, two_sided_radius


@pytest.mark.parametrize(
    ("top", "rival", "one_sided", "two_sided"),
    [(90_000, 5_000, 1.264844, 1.442360), (45_000, 20_000, 0.0, 0.343367)],
)
def test_two_sided_radius_of_a_hundred_thousand_draws(
    top: int, rival: int, one_sided: float, two_sided: float
) -> None:
    """At sigma 1, n = 1e5, alpha = .001 a known rival turns 1.265 into 1.442, and 0 into .343."""
    radius = two_sided_radius(*two_sided_bounds(top, rival, 100_000, 0.001))
    assert gaussian_radius(top, 100_000, 0.001, 1.0) == pytest.approx(one_sided, abs=1e-6)
    assert radius == pytest.approx(two_sided, abs=1e-6)


def test_rival_bound_never_exceeds_what_the_class_leaves_over() -> None:
    """With a rival that holds all other draws, pB is bounded by 1 - p_a_lower."""
    lower, upper = two_sided_bounds(99, 1, 100, 0.001)
    assert upper == math.nextafter(1 - lower, 1)


def test_radius_is_rounded_down() -> None:
    """The radius lies below the exact quantiles' half difference, by no more than a part in 1e8."""
    exact = 0.25 * (ndtri(0.9) - ndtri(0.05)) / 2
    assert exact * (1 - 1e-8) < two_sided_radius(0.9, 0.05, 0.25) < exact


@pytest.mark.parametrize(("p_a_lower", "p_b_upper"), [(0.0, 1.0), (0.3, 0.3), (0.2, 0.6), (0.5, 0.5)])
def test_no_gap_means_abstain(p_a_lower: float, p_b_upper: float) -> None:
    """A class that does not outweigh its rival has radius 0."""
    assert two_sided_radius(p_a_lower, p_b_upper) == 0.0


def test_more_votes_than_draws_are_refused() -> None:
    """Two disjoint classes cannot share more draws than there were."""
    with pytest.raises(InvalidParameter, match="cannot hold"):
        two_sided_bounds(60, 50, 100, 0.001)


@pytest.mark.parametrize(
    ("p_a_lower", "p_b_upper", "sigma"), [(1.0, 0.1, 1), (0.9, 0.0, 1), (0.9, 0.1, 0), (math.nan, 0.1, 1)]
)
def test_bounds_outside_their_domain_are_refused(p_a_lower: float, p_b_upper: float, sigma: float) -> None:
    """An infinite radius can never be asked for."""
    with pytest.raises(InvalidParameter):
        two_sided_radius(p_a_lower, p_b_upper, sigma)
