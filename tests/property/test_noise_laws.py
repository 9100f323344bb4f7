"""Radii of additive noise against the exact worst case: sound on the grid, tight, and rounded safely."""

from __future__ import annotations

from itertools import product
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from certd.noise import AdditiveLaw, Gaussian, Laplace, Norm, Uniform, quantized

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytestmark = pytest.mark.slow

CERTIFIED: list[tuple[type[AdditiveLaw], Norm]] = [
    (family, norm) for family in (Gaussian, Laplace, Uniform) for norm in family.norms
]

sigmas = st.floats(0.01, 4.0)
dimensions = st.sampled_from([1, 2, 784, 150528])
complements = st.one_of(st.floats(1e-15, 0.4999), st.floats(-15, -1).map(lambda e: 10**e))


def exact_radius(law: AdditiveLaw, complement: float, norm: Norm, dimension: int) -> mpf:
    """Return the radius in 50 digits, by the formulas of the papers."""
    sigma, q = mpf(law.sigma), mpf(complement)
    if isinstance(law, Gaussian):
        radius = sigma * -mp.sqrt(2) * mp.erfinv(2 * q - 1)
        return radius / mp.sqrt(dimension) if norm == "linf" else radius
    if isinstance(law, Laplace):
        return -sigma / mp.sqrt(2) * mp.log(2 * q)
    u, p = sigma * mp.sqrt(3), 1 - q
    return (
        2 * u * (p - mpf(1) / 2) if norm == "l1" else 2 * u * (1 - (mpf(3) / 2 - p) ** (mpf(1) / dimension))
    )


@pytest.mark.parametrize(("family", "norm"), CERTIFIED)
@given(sigma=sigmas, complement=complements, dimension=dimensions)
@settings(max_examples=60, deadline=None)
def test_a_radius_is_never_above_the_exact_one_and_never_far_below(
    family: type[AdditiveLaw], norm: Norm, sigma: float, complement: float, dimension: int
) -> None:
    """Radii are rounded down, by about a billionth."""
    law = family(sigma)
    radius = law.radius(1 - complement, norm, dimension, complement=complement)
    with mp.workdps(50):
        exact = exact_radius(law, complement, norm, dimension)
        assert exact * (1 - mpf("1.1e-9")) <= radius <= exact


@pytest.mark.parametrize(("family", "norm"), CERTIFIED)
@given(sigma=sigmas, complement=st.floats(1e-6, 0.4999), dimension=dimensions)
@settings(max_examples=60, deadline=None)
def test_a_threshold_is_never_below_the_exact_one_and_never_far_above(
    family: type[AdditiveLaw], norm: Norm, sigma: float, complement: float, dimension: int
) -> None:
    """Threshold probabilities are rounded up, by about a billionth."""
    law = family(sigma)
    with mp.workdps(50):
        radius = float(exact_radius(law, complement, norm, dimension)) * (1 + 2e-16)
    threshold = law.threshold_probability(radius, norm, dimension)
    assert 1 - complement <= threshold <= 1 - complement + 1e-9


@pytest.mark.parametrize(("family", "norm"), CERTIFIED)
@given(sigma=sigmas, dimension=dimensions, bounds=st.lists(st.floats(0.5, 1.0), min_size=2, max_size=2))
def test_a_better_bound_never_certifies_less(
    family: type[AdditiveLaw], norm: Norm, sigma: float, dimension: int, bounds: list[float]
) -> None:
    """The radius is non-decreasing in the bound on pA."""
    law, (low, high) = family(sigma), sorted(bounds)
    assert law.radius(low, norm, dimension) <= law.radius(high, norm, dimension)


def mass(law: AdditiveLaw) -> NDArray[np.float64]:
    """Return the probabilities of K = lowest, ..., -lowest."""
    edges = np.concatenate(([0.0], quantized(law).thresholds / 2.0**62, [1.0]))
    return np.diff(edges)


def worst_case(law: AdditiveLaw, shift: tuple[int, ...], p_a: float) -> float:
    """Return the least probability, after a shift in grid steps, of any vote that has ``p_a`` before it.

    Neyman and Pearson: the adversary gives the vote to the noisy images that the shift makes rarest.
    """
    before, after = np.ones(1), np.ones(1)
    for steps in shift:
        cells = mass(law)
        before = np.outer(before, np.pad(cells, (0, abs(steps)))).ravel()
        after = np.outer(after, np.pad(cells, (abs(steps), 0))).ravel()
    ratio = np.divide(after, before, out=np.full_like(after, np.inf), where=before > 0)
    order = np.argsort(ratio, kind="stable")
    spent = np.minimum(np.cumsum(before[order]), p_a)
    used = np.diff(spent, prepend=0.0)
    return float(np.sum(used * np.where(used > 0, ratio[order], 0.0)))


def size(shift: tuple[int, ...], norm: Norm) -> float:
    """Return a shift's norm in input units."""
    steps = np.abs(np.array(shift))
    return float({"l1": steps.sum(), "l2": sqrt((steps**2).sum()), "linf": steps.max()}[norm]) / 255


@pytest.mark.parametrize(("family", "norm"), CERTIFIED)
@pytest.mark.parametrize(("dimension", "sigma"), [(1, 0.1), (2, 0.02), (3, 0.006)])
@pytest.mark.parametrize("p_a", [0.6, 0.8, 0.97])
def test_no_vote_loses_its_majority_inside_the_radius(
    family: type[AdditiveLaw], norm: Norm, dimension: int, sigma: float, p_a: float
) -> None:
    """On the grid, under the noise as drawn, the exact worst case at every shift stays at 1/2 or above."""
    law = family(sigma)
    radius = law.radius(p_a, norm, dimension)
    reach = int(radius * 255)
    inside = [s for s in product(range(reach + 1), repeat=dimension) if size(s, norm) <= radius]
    extreme = [s for s in inside if not any(size(n, norm) <= radius for n in successors(s))]
    assert min(worst_case(law, shift, p_a) for shift in extreme) >= 0.5 - 1e-9


def successors(shift: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return the shifts that go one step further on one coordinate."""
    return [(*shift[:i], shift[i] + 1, *shift[i + 1 :]) for i in range(len(shift))]


@pytest.mark.parametrize(("family", "norm"), CERTIFIED)
@pytest.mark.parametrize("p_a", [0.6, 0.8, 0.97])
@pytest.mark.parametrize("dimension", [1, 2])
def test_some_vote_loses_its_majority_just_outside_the_radius(
    family: type[AdditiveLaw], norm: Norm, p_a: float, dimension: int
) -> None:
    """Radii are tight: 2 % and two steps beyond, along the worst direction, the majority is lost."""
    law = family(0.25 if dimension == 1 else 0.05)
    steps = int(law.radius(p_a, norm, dimension) * 255 * 1.02) + 2
    shift = (steps,) * dimension if norm == "linf" else (steps,) + (0,) * (dimension - 1)
    assert worst_case(law, shift, p_a) < 0.5
