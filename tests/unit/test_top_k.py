"""The top-k radius, against closed forms and against the classifier that attains it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from certd.errors import InvalidParameter
from certd.statistics.top_k import top_k_bounds, top_k_radius
from certd.statistics.two_sided import two_sided_bounds, two_sided_radius


@pytest.mark.parametrize(("p_lower", "rival"), [(0.9, 0.05), (0.45, 0.2), (0.999, 1e-5), (0.2, 0.3)])
def test_top_one_radius_is_the_two_sided_radius(p_lower: float, rival: float) -> None:
    """With k = 1 the equation has the two-sided radius for its root."""
    assert top_k_radius(p_lower, [rival], 0.5) == pytest.approx(
        two_sided_radius(p_lower, rival, 0.5), rel=1e-7
    )


def test_top_one_bounds_are_the_two_sided_bounds() -> None:
    """With k = 1 the rival's bound spends all of the rivals' share."""
    lower, rivals = top_k_bounds(np.array([700, 200, 60, 40]), 0, 1, 0.001)
    two_lower, two_upper = two_sided_bounds(700, 200, 1000, 0.001)
    assert lower == two_lower
    assert min(rivals[0], 1 - lower) == pytest.approx(two_upper, rel=1e-12)


@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("distance", [0.25, 1.0, 2.0])
def test_equal_rivals_have_a_closed_form(k: int, distance: float) -> None:
    """Where label and k equal rivals meet at .1 each, moving back by R gives bounds whose radius is R."""
    label = ndtr(ndtri(0.1) + distance)
    rival = ndtr(ndtri(0.1 * k) - distance) / k
    assert top_k_radius(float(label), [float(rival)] * k) == pytest.approx(distance, rel=1e-7)


def test_label_leaves_the_top_two_just_beyond_the_radius() -> None:
    """Half-spaces with the far one shared evenly by two rivals attain the bound: it is sound and tight."""
    p_label, p_rivals = 0.4, 0.3
    radius = top_k_radius(p_label, [p_rivals / 2, p_rivals / 2])

    def label_leads(distance: float) -> bool:
        return bool(ndtr(ndtri(p_label) - distance) > ndtr(ndtri(p_rivals) + distance) / 2)

    assert label_leads(radius)
    assert not label_leads(radius * (1 + 1e-7))


def test_only_the_weaker_of_two_rivals_must_be_beaten() -> None:
    """A label below its strongest rival still holds second place; (pA; p1, p2) = (.3; .5, .1)."""
    radius = top_k_radius(0.3, [0.5, 0.1])
    assert radius == pytest.approx((ndtri(0.3) - ndtri(0.1)) / 2, rel=1e-7)
    assert top_k_radius(0.3, [0.5]) == 0.0


def test_rivals_bounds_come_in_falling_order() -> None:
    """The i-th bound belongs to the i-th largest other count; the label's own count is left out."""
    _, rivals = top_k_bounds(np.array([50, 900, 30, 20]), 1, 3, 0.001)
    assert list(rivals) == sorted(rivals, reverse=True)
    assert rivals[0] < 0.2


@pytest.mark.parametrize(("label", "k", "alpha"), [(0, 0, 0.1), (0, 3, 0.1), (3, 1, 0.1), (0, 1, 0.0)])
def test_top_k_refuses_what_it_cannot_bound(label: int, k: int, alpha: float) -> None:
    """The size k lies below the number of classes, and the label among them."""
    with pytest.raises(InvalidParameter):
        top_k_bounds(np.array([5, 3, 2]), label, k, alpha)


@pytest.mark.parametrize(("p_lower", "rivals"), [(1.0, [0.1]), (0.5, []), (0.5, [0.0]), (0.5, [1.1])])
def test_top_k_radius_refuses_impossible_bounds(p_lower: float, rivals: list[float]) -> None:
    """A bound of certainty would make the radius infinite."""
    with pytest.raises(InvalidParameter):
        top_k_radius(p_lower, rivals)
