"""The promise itself: a certificate is false with probability at most alpha."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.special import ndtri

from certd.smoothing import Phase, parse_request
from certd.smoothing.certifier import Certifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from certd.models import BaseClassifier
    from certd.smoothing import Certificate

pytestmark = pytest.mark.statistical

SEEDS, ALPHA, SIGMA = 2000, 0.05, 0.25
# The pixel stands 63.5 grid steps inside the half-space: the smoothed classifier's radius is exactly this.
PIXEL, THRESHOLD = 191, 127.5
MARGIN = (PIXEL - THRESHOLD) / 255
ALLOWED = ALPHA + 3 * (ALPHA * (1 - ALPHA) / SEEDS) ** 0.5


@pytest.fixture(scope="module")
def certificates(half_space: Callable[..., BaseClassifier]) -> list[Certificate]:
    """Return one certificate of the same image for each of 2000 seeds."""
    classifier = half_space(THRESHOLD)
    image = np.full((1, 1, 2, 2), PIXEL, dtype=np.uint8)
    ids = np.zeros(1, dtype=np.uint64)

    def certify(seed: int) -> Certificate:
        request = parse_request(
            {
                "model": "x",
                "plan": "fixed",
                "sigma": SIGMA,
                "n0": 10,
                "n": 1000,
                "alpha": ALPHA,
                "seed": seed,
                "batch_size": 1010,
            }
        )
        return Certifier(classifier, request.resolve(classifier.reference, labelled=False)).certify(
            image, ids
        )[0]

    return [certify(seed) for seed in range(SEEDS)]


def test_a_radius_beyond_the_exact_one_is_as_rare_as_promised(certificates: list[Certificate]) -> None:
    """Over 2000 seeds at most alpha + 3 s.e. of the radii are false. False-alarm rate: under .0014."""
    false = np.mean([certificate.conclusion.radius > MARGIN for certificate in certificates])
    assert false <= ALLOWED


def test_the_radius_is_nearly_the_best_possible(certificates: list[Certificate]) -> None:
    """The mean radius is within 10 % of the margin. Its standard error is .2 %: no false alarm."""
    mean = float(np.mean([certificate.conclusion.radius for certificate in certificates]))
    assert mean == pytest.approx(MARGIN, rel=0.1)
    assert mean < MARGIN


def test_the_plug_in_estimate_would_break_the_promise(certificates: list[Certificate]) -> None:
    """With k/n in place of the bound half of the radii are false: the first test can fail."""
    shares = np.array([certificate.p_a_estimate for certificate in certificates])
    assert np.mean(SIGMA * ndtri(shares) > MARGIN) > 5 * ALLOWED


def test_seeds_give_independent_draws(certificates: list[Certificate]) -> None:
    """Counts vary as a binomial does: variance ratio within 4 s.e. of 1. False-alarm rate: 6e-5."""
    counts = np.array(
        [certificate.record.tallies[Phase.ESTIMATION].counts[1] for certificate in certificates]
    )
    share = counts.mean() / 1000
    ratio = counts.var(ddof=1) / (1000 * share * (1 - share))
    assert abs(ratio - 1) < 4 * (2 / SEEDS) ** 0.5
