"""Numbers of a report against golden values and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, hypergeom, norm

from certd.errors import InvalidParameter, ShapeMismatch
from certd.noise import additive_law
from certd.reports.accuracy import accuracy_steps, certified_counts, image_sampling_interval
from certd.reports.budget import (
    accuracy_without_end,
    expected_accuracy,
    expected_average_radius,
    least_count,
    order_flips,
    radii_of_counts,
)
from certd.reports.classes import by_class, hard_images_lost
from certd.reports.inequality import easy_share, lorenz_curve, uniform_easy_share
from certd.reports.pa_distribution import correct_share_curve, histogram, probability_band, share_band
from certd.reports.radius import draws_for_trivial, sensitivity, trivial_average_radius
from certd.reports.subsampling import reduced_accuracy, reduced_average_radius
from certd.smoothing import Guarantee
from certd.statistics import largest_certifiable_radius

ALPHA = 0.001
GAUSSIAN = Guarantee(additive_law("gaussian", 0.5), "l2", 4, 0.0)
LAPLACE = Guarantee(additive_law("laplace", 0.5), "l1", 4, 1e-9)

LEAST_COUNTS = {
    0: (66, 550, 50490),
    0.25: (84, 737, 69598),
    0.5: (95, 877, 84492),
    0.75: (100, 957, 93563),
    1.0: (None, 991, 97870),
    1.5: (None, None, 99900),
    2.0: (None, None, None),
}


@pytest.mark.parametrize("radius", LEAST_COUNTS)
def test_least_counts_are_those_of_the_published_table(radius: float) -> None:
    """k*(r) at alpha = .001 and sigma = .5 for 100, 1000 and 100,000 draws."""
    found = tuple(least_count(radius, n, ALPHA, GAUSSIAN) for n in (100, 1000, 100_000))
    assert found == LEAST_COUNTS[radius]


@pytest.mark.parametrize(
    ("arguments", "draws"),
    [((0.1, 10, 1, 0.001), 41), ((0.3, 10, 1, 0.001), 5115), ((0.1, 10, 0.25, 0.001), 218106)],
)
def test_the_constant_classifier_wins_at_the_published_budgets(
    arguments: tuple[float, float, float, float], draws: int
) -> None:
    """Golden budgets of the trivial baseline; at them its ACR is indeed the larger."""
    assert draws_for_trivial(*arguments) == draws
    target, classes, sigma, alpha = arguments
    assert trivial_average_radius(1 / classes, draws, alpha, _gaussian(sigma)) > target


def test_no_budget_is_named_that_nobody_could_draw() -> None:
    """An ACR of hundreds of sigmas in units of 1/K is out of the constant classifier's reach."""
    assert draws_for_trivial(0.74, 1000, 0.5, ALPHA) is None
    with pytest.raises(InvalidParameter):
        draws_for_trivial(0.0, 10, 0.5, ALPHA)


@pytest.mark.parametrize(
    ("draws", "factor"),
    [
        (10, 0.00298),
        (100, 1.50048),
        (1000, 2.46326),
        (10**4, 3.19858),
        (10**5, 3.81146),
        (10**6, 4.34677),
        (10**9, 5.67566),
    ],
)
def test_the_largest_radius_is_the_published_one(draws: int, factor: float) -> None:
    """The radius of n hits of n, in units of sigma, at alpha = .001."""
    assert largest_certifiable_radius(draws, ALPHA, 1.0) == pytest.approx(factor, abs=6e-6)


@pytest.mark.parametrize(("p", "slope"), [(0.5, 2.507), (0.9, 5.698), (0.99, 37.52), (0.999, 296.99)])
def test_sensitivity_is_the_slope_of_the_radius(p: float, slope: float) -> None:
    """dR/dp against its golden value and against a difference quotient."""
    assert sensitivity(p, 1.0) == pytest.approx(slope, rel=2e-4)
    step = 1e-7
    quotient = (norm.ppf(p + step) - norm.ppf(p - step)) / (2 * step)
    assert sensitivity(p, 1.0) == pytest.approx(quotient, rel=1e-4)


@pytest.mark.parametrize(("least", "share"), [(0.75, 0.79655), (0.9, 0.43991), (0.99, 0.06681)])
def test_easy_share_of_uniform_probabilities_has_a_closed_form(least: float, share: float) -> None:
    """With pA uniform and no end of draws the easy share is phi(Phi^-1(q)) / phi(0)."""
    p = (np.arange(200_000) + 0.5) / 200_000
    radii = np.maximum(norm.ppf(p), 0.0)
    assert uniform_easy_share(least) == pytest.approx(share, abs=5e-6)
    assert easy_share(radii, p, least) == pytest.approx(share, abs=1e-4)
    assert radii.mean() == pytest.approx(0.398942, abs=1e-5)


def test_expected_radius_is_the_mean_over_all_counts() -> None:
    """The projection agrees with the sum over every count, for Gaussian and other noise."""
    shares = np.array([0.0, 0.3, 0.55, 0.8, 0.97, 0.9999, 1.0])
    for guarantee in (GAUSSIAN, LAPLACE):
        for draws in (10, 100, 3000):
            counts = np.arange(draws + 1)
            radii = radii_of_counts(counts, draws, ALPHA, guarantee)
            exact = [float(np.dot(binom.pmf(counts, draws, p), radii)) for p in shares]
            found = expected_average_radius(shares, draws, ALPHA, guarantee)
            assert found == pytest.approx(np.mean(exact), abs=2e-3)


def test_radii_in_bulk_are_those_of_the_guarantee() -> None:
    """The table behind every projection holds the radii that a certificate would state."""
    counts = np.array([0, 40, 66, 80, 99, 100])
    for guarantee in (GAUSSIAN, LAPLACE):
        single = [guarantee.bound(int(k), 100, ALPHA).radius for k in counts]
        assert radii_of_counts(counts, 100, ALPHA, guarantee) == pytest.approx(single, rel=1e-12)


def test_expected_accuracy_tends_to_that_without_end() -> None:
    """Away from the threshold, a large budget certifies what an infinite one does."""
    shares = np.array([0.2, 0.6, 0.7, 0.9, 1.0])
    assert accuracy_without_end(shares, 0.25, GAUSSIAN) == 0.6
    assert expected_accuracy(shares, 0.25, 10**7, ALPHA, GAUSSIAN) == pytest.approx(0.6, abs=1e-9)
    assert expected_accuracy(shares, 2.0, 100_000, ALPHA, GAUSSIAN) == 0.0


def test_leaving_draws_out_is_hypergeometric() -> None:
    """Reduced accuracy and ACR are the hypergeometric means, and all draws give what was certified."""
    counts = np.array([0, 700, 930, 990, 1000])
    hits = np.arange(101)
    radii = radii_of_counts(hits, 100, ALPHA, GAUSSIAN)
    mass = np.array([hypergeom.pmf(hits, 1000, k, 100) for k in counts])
    assert reduced_average_radius(counts, 1000, 100, ALPHA, GAUSSIAN) == pytest.approx((mass @ radii).mean())
    least = least_count(0.5, 100, ALPHA, GAUSSIAN)
    assert least is not None
    found = reduced_accuracy(counts, 1000, 100, least)
    assert found == pytest.approx(mass[:, least:].sum(axis=1).mean())
    whole = radii_of_counts(counts, 1000, ALPHA, GAUSSIAN).mean()
    assert reduced_average_radius(counts, 1000, 1000, ALPHA, GAUSSIAN) == pytest.approx(whole)
    assert reduced_accuracy(counts, 1000, 100, None) == 0.0


@pytest.mark.slow
def test_the_order_of_two_runs_turns_over_with_the_budget() -> None:
    """Few very easy images against many middling ones: which leads depends on n, and the turn is exact."""
    easy = np.concatenate([np.full(40, 1.0), np.full(60, 0.4)])
    middling = np.full(100, 0.93)
    (turn,) = order_flips(easy, middling, ALPHA, (GAUSSIAN, GAUSSIAN), (1000, 10**7))
    before, after = (
        [expected_average_radius(s, n, ALPHA, GAUSSIAN) for s in (easy, middling)] for n in (turn - 1, turn)
    )
    assert (before[0] > before[1]) != (after[0] > after[1])


def test_the_curve_of_shares_compares_whole_numbers() -> None:
    """S(x) holds an image whose k/n equals a grid point exactly, where floats would lose some."""
    draws = np.full(501, 1000)
    counts = np.arange(500, 1001)
    curve = correct_share_curve(counts, draws, np.ones(501, bool))
    assert (curve * 501).round(9).tolist() == list(range(501, 0, -1))
    assert correct_share_curve(counts, draws, np.zeros(501, bool)).max() == 0


def test_histograms_hold_every_image_once() -> None:
    """Each bin holds its left edge, the last also 1."""
    shares = np.arange(21) / 20
    assert histogram(shares).tolist() == [1] * 19 + [2]


def test_bands_lie_around_what_they_bound() -> None:
    """Both bands contain the empirical curve; the one for probabilities is wider, and more so with looks."""
    counts, draws = np.array([10, 400, 700, 990, 1000]), np.full(5, 1000)
    plain = share_band(counts / draws, 0.05)
    one, many = (probability_band(counts, draws, looks, ALPHA, 0.05) for looks in (1, 39))
    for band in (plain, one, many):
        assert ((band.lower <= band.below) & (band.below <= band.upper)).all()
        assert band.level == 0.95
    at = np.array([0.39, 0.41])
    widths = [_at(band.at, band.upper - band.lower, at) for band in (plain, one, many)]
    assert (widths[0] <= widths[1]).all()
    assert (widths[1] <= widths[2]).all()


def test_the_step_curve_is_exact() -> None:
    """Every radius at which accuracy falls, inclusive."""
    at, share = accuracy_steps(
        np.array([0.0, 0.3, 0.3, 0.7, 0.9]), np.array([False, True, True, True, False])
    )
    assert at.tolist() == [0.0, 0.3, 0.7]
    assert share.tolist() == [0.6, 0.6, 0.2]


def test_the_interval_over_images_contains_the_share() -> None:
    """Clopper-Pearson over the draw of images, two-sided."""
    counts = certified_counts(np.array([0.1, 0.2, 0.3]), np.ones(3, bool), [0.0, 0.25, 1.0])
    lower, upper = image_sampling_interval(counts, 3, 0.05)
    assert (lower <= counts / 3).all()
    assert (counts / 3 <= upper).all()
    assert lower[1] == pytest.approx(0.00840376, abs=1e-6)


def test_the_lorenz_curve_of_equal_radii_is_the_diagonal() -> None:
    """Equal radii lie on the diagonal, one rich image in the corner, and no radius at all is equality."""
    images, radius = lorenz_curve(np.full(4, 0.7))
    assert radius == pytest.approx(images)
    assert lorenz_curve(np.array([0, 5.0, 0, 0]))[1].tolist() == [0, 0, 0, 0, 1]
    assert lorenz_curve(np.zeros(4))[1].tolist() == [0, 0.25, 0.5, 0.75, 1]


def test_classes_share_out_the_whole_run() -> None:
    """Images and radius of the classes add up to those of the run."""
    labels, counts = np.array([0, 0, 1, 1, 1]), np.array([9, 5, 10, 8, 0])
    rows = by_class(labels, counts, np.full(5, 10), np.array([0.5, 0, 1.0, 0.5, 0]))
    assert [row.images for row in rows] == [2, 3]
    assert [row.hard for row in rows] == [1, 1]
    assert sum(row.radius_share for row in rows) == pytest.approx(1)
    assert rows[1].average_radius == pytest.approx(0.5)


def test_an_image_certified_at_radius_zero_is_certified_in_its_class() -> None:
    """Radius 0 is a certificate, and missing one is not."""
    reached = np.array([0.0, 0.0, 0.5, -np.inf])
    (row,) = by_class(np.zeros(4, np.int64), np.full(4, 9), np.full(4, 10), reached)
    assert (row.certified_accuracy, row.average_radius, row.radius_share) == (0.75, 0.125, 1.0)


def test_hard_images_lost_are_counted_by_class() -> None:
    """An image is lost when its label falls from above one half to at most one half."""
    labels = np.array([0, 0, 1])
    rows = hard_images_lost(labels, np.array([True, True, False]), np.array([False, True, True]))
    assert [(row.label, row.lost, row.gained) for row in rows] == [(0, 1, 0), (1, 0, 1)]
    with pytest.raises(ShapeMismatch):
        hard_images_lost(labels, np.array([True]), np.array([True]))


def _gaussian(sigma: float) -> Guarantee:
    return Guarantee(additive_law("gaussian", sigma), "l2", 4, 0.0)


def _at(
    grid: np.ndarray[tuple[int], np.dtype[np.float64]],
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
    at: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return values[np.searchsorted(grid, at, side="right") - 1]
