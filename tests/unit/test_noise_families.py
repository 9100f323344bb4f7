"""The additive laws: known radii, safe rounding, refusals, and their integer tables."""

from __future__ import annotations

from itertools import pairwise
from math import inf, sqrt

import pytest
from mpmath import mp, mpf

from certd.errors import InvalidParameter
from certd.noise import AdditiveLaw, Gaussian, Laplace, Norm, Uniform, additive_law, quantized

LAWS = (Gaussian, Laplace, Uniform)


@pytest.mark.parametrize(
    ("law", "norm", "dimension", "p_a_lower", "radius"),
    [
        (Gaussian(0.5), "l2", 3072, 0.897_036_496_224, 0.5 * 1.264_844_690_34),
        (Gaussian(1.0), "l2", 1, 0.993_116_048_421, 2.463_262),
        (Gaussian(1.0), "l1", 9, 0.993_116_048_421, 2.463_262),
        (Gaussian(1.0), "linf", 9, 0.993_116_048_421, 2.463_262 / 3),
        (Laplace(sqrt(2)), "l1", 100, 0.995, 4.605_170_1),
        (Uniform(1 / sqrt(3)), "l1", 100, 0.75, 0.5),
        (Uniform(1 / sqrt(3)), "linf", 1, 0.75, 0.5),
        (Uniform(1 / sqrt(3)), "linf", 2, 0.94, 0.503_334_3),
    ],
)
def test_radii_are_the_published_ones(
    law: AdditiveLaw, norm: Norm, dimension: int, p_a_lower: float, radius: float
) -> None:
    """Each family's radius agrees with the formula of its paper, worked by hand."""
    assert law.radius(p_a_lower, norm, dimension) == pytest.approx(radius, rel=1e-5)


@pytest.mark.parametrize("law", [law(0.5) for law in LAWS])
@pytest.mark.parametrize("p_a_lower", [0.0, 0.3, 0.5])
def test_nothing_is_certified_at_one_half(law: AdditiveLaw, p_a_lower: float) -> None:
    """The radius is 0 unless the bound on pA exceeds 1/2, and radius 0 takes exactly 1/2."""
    for norm in law.norms:
        assert law.radius(p_a_lower, norm, 10) == 0.0
        assert law.threshold_probability(0.0, norm, 10) == 0.5


def test_bounded_noise_has_a_largest_radius() -> None:
    """The uniform's radii end at u in l1 and at 2u (1 - 2**(-1/d)) in linf; the others never end."""
    law, u = Uniform(0.25), 0.25 * sqrt(3)
    assert law.largest_radius("l1", 784) == pytest.approx(u)
    assert law.largest_radius("linf", 784) == pytest.approx(2 * u * (1 - 0.5 ** (1 / 784)))
    assert law.threshold_probability(1.01 * u, "l1", 784) == 1.0
    assert law.threshold_probability(3 * u, "linf", 1) == 1.0
    assert Gaussian(0.25).largest_radius("linf", 784) == inf
    assert Laplace(0.25).largest_radius("l1", 784) == inf


@pytest.mark.parametrize(
    ("complement", "z"), [(1e-12, 7.034_483_828_1), (9.233_413_438_44e-9, 5.625_783_101_02)]
)
def test_a_complement_keeps_the_digits_that_pa_loses(complement: float, z: float) -> None:
    """Near pA = 1 the radius is computed from 1 - pA, not from pA."""
    assert Gaussian(1.0).radius(1.0, "l2", 1, complement=complement) == pytest.approx(z, rel=3e-9)


@pytest.mark.parametrize(
    ("law", "norm"), [(Laplace(1.0), "l2"), (Laplace(1.0), "linf"), (Uniform(1.0), "l2")]
)
def test_an_uncertified_norm_is_refused_with_the_ones_there_are(law: AdditiveLaw, norm: Norm) -> None:
    """A law without a theorem for a norm says which norms it has."""
    with pytest.raises(InvalidParameter, match="certifies l1"):
        law.radius(0.9, norm, 10)
    with pytest.raises(InvalidParameter, match="certifies l1"):
        law.threshold_probability(0.1, norm, 10)


@pytest.mark.parametrize("p_a_lower", [-0.1, 1.1, float("nan")])
def test_what_is_no_probability_is_refused(p_a_lower: float) -> None:
    """A bound outside [0, 1] never becomes a radius."""
    with pytest.raises(InvalidParameter):
        Gaussian(0.5).radius(p_a_lower, "l2", 10)


@pytest.mark.parametrize("radius", [-0.1, float("nan")])
def test_what_is_no_radius_is_refused(radius: float) -> None:
    """A negative radius has no threshold."""
    with pytest.raises(InvalidParameter):
        Gaussian(0.5).threshold_probability(radius, "l2", 10)


@pytest.mark.parametrize("family", ["gaussian", "laplace", "uniform"])
def test_families_are_found_by_name(family: str) -> None:
    """A law's name leads back to it."""
    assert additive_law(family, 0.5).name == family


def test_an_unknown_family_is_refused_with_the_ones_there_are() -> None:
    """A misspelt family names the choices."""
    with pytest.raises(InvalidParameter, match="gaussian, laplace, uniform"):
        additive_law("cauchy", 0.5)


@pytest.mark.parametrize("law", [law(0.05) for law in LAWS])
def test_sigma_is_the_root_mean_square_of_every_law(law: AdditiveLaw) -> None:
    """E K**2 / 255**2 is sigma**2 plus the twelfth of a step that rounding adds, whatever the family."""
    noise = quantized(law)
    edges = [0, *(int(threshold) for threshold in noise.thresholds), 1 << 62]
    square = sum((noise.lowest + j) ** 2 * (b - a) for j, (a, b) in enumerate(pairwise(edges)))
    assert square / (1 << 62) / 255**2 == pytest.approx(law.sigma**2 + 1 / 12 / 255**2, rel=1e-3)


@pytest.mark.parametrize("law", [law(sigma) for law in LAWS for sigma in (0.003, 0.05)])
def test_every_table_is_within_its_stated_distance_of_the_law(law: AdditiveLaw) -> None:
    """Cell by cell in 60 digits, cut tails included, the table is as near as it claims."""
    noise = quantized(law)
    edges = [0, *(int(threshold) for threshold in noise.thresholds), 1 << 62]
    table = {noise.lowest + j: b - a for j, (a, b) in enumerate(pairwise(edges))}
    with mp.workdps(60):
        last = 3 - noise.lowest
        tails = [law.tail((mpf(i) + mpf(1) / 2) / 255) for i in range(last + 1)]
        exact = {0: 1 - 2 * tails[0]} | {i: tails[i - 1] - tails[i] for i in range(1, last + 1)}
        off = [abs(p - mpf(table.get(i, 0)) / (1 << 62)) * (2 if i else 1) for i, p in exact.items()]
        assert sum(off) / 2 + tails[last] <= noise.total_variation


def test_the_end_cells_of_uniform_noise_hold_exactly_what_they_should() -> None:
    """With u = 10 steps the 19 inner cells weigh 1/20 and the two end cells, cut in the middle, 1/40."""
    noise = quantized(Uniform(10 / (255 * sqrt(3))))
    edges = [0, *(int(threshold) for threshold in noise.thresholds), 1 << 62]
    mass = [(b - a) / (1 << 62) for a, b in pairwise(edges)]
    assert noise.lowest == -10
    assert mass == pytest.approx([1 / 40, *[1 / 20] * 19, 1 / 40], rel=1e-12)
