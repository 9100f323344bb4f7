"""Reports over budgets agree with what certifying at those budgets gives.

False alarms: each comparison is at five standard errors or more, so that one fails by chance with probability
below 1e-6; seeds are fixed.
"""

from __future__ import annotations

import numpy as np
import pytest

from certd.reports.budget import expected_average_radius
from certd.reports.importers import Conditions
from certd.reports.subsampling import reduced_average_radius

pytestmark = pytest.mark.statistical

ALPHA, SIGMA = 0.001, 0.5
GUARANTEE = Conditions(SIGMA).guarantee


def _radii(
    counts: np.ndarray[tuple[int], np.dtype[np.int64]], n: int
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    table = np.array([GUARANTEE.bound(k, n, ALPHA).radius for k in range(n + 1)])
    return table[counts]


def test_leaving_draws_out_agrees_with_certifying_prefixes() -> None:
    """Draws are exchangeable: the first 200 of 2,000 are as good a subset as any, image for image."""
    random = np.random.default_rng(7)
    shares = random.beta(6, 1, 4000)
    votes = random.random((4000, 2000), dtype=np.float32) < shares[:, None]
    prefix = _radii(votes[:, :200].sum(axis=1), 200)
    whole = votes.sum(axis=1)
    expected = reduced_average_radius(whole, 2000, 200, ALPHA, GUARANTEE)
    each = np.array(
        [reduced_average_radius(whole[i : i + 1], 2000, 200, ALPHA, GUARANTEE) for i in range(200)]
    )
    error = (prefix[:200] - each).std() / np.sqrt(len(prefix))
    assert abs(prefix.mean() - expected) < 5 * error


@pytest.mark.parametrize("draws", [50, 1000])
def test_the_expected_radius_agrees_with_simulated_runs(draws: int) -> None:
    """Many runs of one set of images: their mean ACR is the expectation."""
    random = np.random.default_rng(3)
    shares = random.beta(6, 1, 300)
    runs = np.array([_radii(random.binomial(draws, shares), draws).mean() for _ in range(400)])
    expected = expected_average_radius(shares, draws, ALPHA, GUARANTEE)
    assert abs(runs.mean() - expected) < 5 * runs.std() / np.sqrt(len(runs))
