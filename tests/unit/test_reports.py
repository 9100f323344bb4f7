"""The first reports: certified accuracy, ACR, quantiles of pA."""

from __future__ import annotations

import numpy as np
import pytest

from certd.reports import average_certified_radius, certified_accuracy, quantiles
from certd.reports.accuracy import radius_grid

RADII = np.array([0.0, 0.1, 0.25, 0.5, 0.7])
CORRECT = np.array([False, True, True, True, False])


def test_certified_accuracy_is_inclusive_and_over_all_images() -> None:
    """A radius that is reached exactly counts; wrong and abstained images stay in the denominator."""
    assert certified_accuracy(RADII, CORRECT, [0, 0.25, 0.2500001, 0.5, 0.6]).tolist() == [
        0.6,
        0.4,
        0.2,
        0.2,
        0,
    ]


def test_the_average_is_the_area_under_the_curve() -> None:
    """ACR equals the integral of certified accuracy over the radius."""
    fine = np.linspace(0, 1, 100_001)
    area = certified_accuracy(RADII, CORRECT, list(fine)).mean()
    assert average_certified_radius(RADII, CORRECT) == pytest.approx(0.85 / 5)
    assert area == pytest.approx(0.85 / 5, abs=1e-4)


def test_a_quantile_is_the_share_of_an_actual_image() -> None:
    """Nothing is interpolated between images, and the lower one is named."""
    assert quantiles(np.array([0.1, 0.2, 0.9, 1.0]))["0.5"] == 0.2


def test_the_grid_ends_with_a_radius_that_nothing_reaches() -> None:
    """The last radius of the table is beyond the cap, so that the curve is seen to end."""
    assert radius_grid(0.8) == [0, 0.25, 0.5, 0.75, 1.0]
