"""Bands around empirical distributions: the exact crossing probability and what is built on it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from certd.errors import InvalidParameter
from certd.statistics.bands import berk_jones_level, berk_jones_lower, dkw_half_width, dkw_one_sided_width
from certd.statistics.clopper_pearson import clopper_pearson_lower
from certd.statistics.crossing import crossing_probability


def test_crossing_probability_of_one_and_two_uniforms() -> None:
    """For one level a it is a; for a <= b it is 1 - (1-a)^2 + (b-a)^2."""
    assert crossing_probability(np.array([0.3])) == pytest.approx(0.3, rel=1e-14)
    assert crossing_probability(np.array([0.1, 0.4])) == pytest.approx(1 - 0.81 + 0.09, rel=1e-14)


def test_crossing_of_a_level_for_the_least_value_only() -> None:
    """Equal levels bind the smallest value alone: 1 - (1-a)^m, to full precision when tiny."""
    assert crossing_probability(np.full(50, 1e-12)) == pytest.approx(5e-11, rel=1e-9)


def test_crossing_of_daniels_line() -> None:
    """Levels k/(c m) on a line through the origin are crossed with probability 1/c, for every m (Daniels)."""
    for m in (1, 5, 60, 1500):
        assert crossing_probability(np.arange(1, m + 1) / (4 * m)) == pytest.approx(0.25, rel=1e-10)


@pytest.mark.parametrize(("m", "delta"), [(1, 0.01), (2, 0.2), (40, 0.05), (500, 0.001)])
def test_berk_jones_level_spends_delta_and_no_more(m: int, delta: float) -> None:
    """All m bounds at the level fail together with a probability within a thousandth below delta."""
    level = berk_jones_level(m, delta)
    missed = crossing_probability(clopper_pearson_lower(np.arange(1, m + 1), m, level))
    assert 0.999 * delta < missed <= delta
    assert delta / m * 0.999 < level <= delta


def test_berk_jones_level_at_five_hundred_images() -> None:
    """For 500 images at .001 the price is a factor 57.6, not the 500 of a union."""
    assert berk_jones_level(500, 0.001) == pytest.approx(0.001 / 57.58, rel=1e-3)


def test_berk_jones_beats_dkw_near_the_ends() -> None:
    """At 495 of 500 it stands above, and at 250 it loses little."""
    lower = berk_jones_lower(np.array([495, 250]), 500, 0.001)
    dkw = np.array([495, 250]) / 500 - dkw_one_sided_width(500, 0.001)
    assert lower[0] > dkw[0] + 0.03
    assert lower[1] > dkw[1] - 0.02


def test_dkw_widths_at_known_values() -> None:
    """sqrt(ln(2/.05) / 1000) for two sides of 500 images, sqrt(ln(1/.05) / 1000) for one; rounded up."""
    two, one = math.sqrt(math.log(40) / 1000), math.sqrt(math.log(20) / 1000)
    assert two < dkw_half_width(500, 0.05) < two * (1 + 1e-8)
    assert one < dkw_one_sided_width(500, 0.05) < one * (1 + 1e-8)


def test_one_sided_dkw_needs_delta_below_one_half() -> None:
    """Massart's constant is proved only there."""
    with pytest.raises(InvalidParameter, match="delta"):
        dkw_one_sided_width(500, 0.6)


def test_berk_jones_refuses_samples_it_cannot_calibrate() -> None:
    """The exact level costs m squared, so m is capped."""
    with pytest.raises(InvalidParameter, match="50000"):
        berk_jones_level(50_001, 0.05)
