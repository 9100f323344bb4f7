"""Laws that every report keeps, whatever the counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from certd.noise import additive_law
from certd.reports.accuracy import accuracy_steps, certified_accuracy
from certd.reports.budget import BUDGETS, expected_average_radius, radii_of_counts
from certd.reports.dominance import order_of_curves
from certd.reports.inequality import easy_share, lorenz_curve
from certd.reports.pa_distribution import correct_share_curve, probability_band
from certd.reports.radius import average_certified_radius
from certd.reports.recovery import recover_counts
from certd.reports.subsampling import reduced_average_radius
from certd.smoothing import Guarantee
from certd.statistics import clopper_pearson_lower, floor_to, gaussian_radius

pytestmark = pytest.mark.slow

N, ALPHA = 1000, 0.001
GAUSSIAN = Guarantee(additive_law("gaussian", 0.5), "l2", 4, 0.0)
COUNTS = arrays.arrays(np.int64, st.integers(1, 30), elements=st.integers(0, N))
RADII = arrays.arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 4))


@given(RADII)
def test_the_average_is_the_area_under_the_steps(radii: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    """ACR equals the integral of the exact step curve."""
    correct = radii > 0
    at, share = accuracy_steps(radii, correct)
    area = float((np.diff(at) * share[1:]).sum())
    assert np.isclose(area, average_certified_radius(radii, correct))
    assert (certified_accuracy(radii, correct, at.tolist()) == share).all()


@given(COUNTS)
def test_the_curve_of_shares_never_rises(counts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    """S is a survival curve, below the share of correct images."""
    correct = counts > N // 2
    curve = correct_share_curve(counts, np.full(len(counts), N), correct)
    assert (np.diff(curve) <= 0).all()
    assert curve[0] == correct.mean()


@given(RADII)
def test_the_lorenz_curve_lies_below_the_diagonal(
    radii: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:
    """The images of smallest radius never hold more than their share."""
    images, radius = lorenz_curve(radii)
    assert (radius <= images + 1e-9).all()
    assert (np.diff(radius) >= 0).all()


@given(COUNTS)
def test_easy_images_hold_a_share(counts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    """The easy share lies in [0, 1] and falls as the mark rises."""
    radii, shares = radii_of_counts(counts, N, ALPHA, GAUSSIAN), counts / N
    found = [easy_share(radii, shares, least) for least in (0.5, 0.75, 0.9, 1.0)]
    assert all(0 <= share <= 1 + 1e-12 for share in found)
    assert (np.diff(found) <= 1e-12).all()


@given(COUNTS, st.sampled_from([1, 10, 100, 300, 999, N]))
@settings(deadline=None)  # the first bound at a budget tabulates all of them
def test_fewer_draws_never_certify_more_on_average_than_the_law_allows(
    counts: np.ndarray[tuple[int], np.dtype[np.int64]], fewer: int
) -> None:
    """A reduced ACR lies between 0 and the largest radius of its budget."""
    reduced = reduced_average_radius(counts, N, fewer, ALPHA, GAUSSIAN)
    assert 0 <= reduced <= GAUSSIAN.bound(fewer, fewer, ALPHA).radius * (1 + 1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.sampled_from(BUDGETS[:-1]))
@settings(deadline=None)  # the first projection at a budget tabulates it
def test_projections_rise_with_the_budget(shares: list[float], draws: int) -> None:
    """More draws never lower the expected ACR, up to the interpolation's error."""
    few, many = (expected_average_radius(np.array(shares), n, ALPHA, GAUSSIAN) for n in (draws, 2 * draws))
    assert few <= many + 0.01


@given(COUNTS, st.integers(1, 40))
def test_bands_hold_the_empirical_curve(
    counts: np.ndarray[tuple[int], np.dtype[np.int64]], looks: int
) -> None:
    """The band of the probabilities contains the distribution function of the shares."""
    band = probability_band(counts, np.full(len(counts), N), looks, ALPHA, 0.05)
    assert (band.lower <= band.below).all()
    assert (band.below <= band.upper).all()


@given(RADII, RADII)
def test_a_dominant_curve_never_lies_below(
    first: np.ndarray[tuple[int], np.dtype[np.float64]], second: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> None:
    """Where one run dominates there is no crossing, and exchanging the runs exchanges the roles."""
    size = min(len(first), len(second))
    grid = np.arange(size, dtype=np.float64)
    order, mirrored = (
        order_of_curves(grid, *pair)
        for pair in ((first[:size], second[:size]), (second[:size], first[:size]))
    )
    if order.dominant == "first":
        assert (first[:size] >= second[:size]).all()
        assert not order.crossings
    exchanged = {"first": "second", "second": "first", "neither": "neither"}
    assert mirrored.dominant == exchanged[order.dominant]
    assert mirrored.crossings == order.crossings


@given(st.integers(50_490, 100_000), st.sampled_from([0.12, 0.25, 0.5, 1.0]))
@settings(deadline=None)  # the first bound tabulates all of them
def test_counts_are_recovered_from_a_floored_radius(count: int, sigma: float) -> None:
    """Six digits, rounded down, name the count for every usual sigma."""
    radius = gaussian_radius(count, 100_000, ALPHA, sigma)
    (found,) = recover_counts(np.array([floor_to(radius, 6)]), sigma, 100_000, ALPHA)
    assert found == count
    assert clopper_pearson_lower(int(found), 100_000, ALPHA) > 0.5
