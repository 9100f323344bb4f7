"""Bands around the pA distribution: what they promise, and what stopping early does to those that do not."""

from __future__ import annotations

import numpy as np
import pytest

from certd.reports.pa_distribution import Band, probability_band, share_band

IMAGES, DRAWS, LOOKS, REPEATS = 200, 100, 10, 200
ALPHA, DELTA = 0.01, 0.05
# P(Bin(200, .05) >= 28) = 9.6e-7.
MOST_FAILURES = 27


def _stopped_early(generator: np.random.Generator) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], ...]:
    """Draw images of pA = 1/2, each stopped at the first look that shows at least 0.6 hits."""
    steps = generator.binomial(DRAWS // LOOKS, 0.5, (IMAGES, LOOKS))
    counts = np.cumsum(steps, axis=1)
    draws = np.arange(1, LOOKS + 1) * (DRAWS // LOOKS)
    stops = counts >= 0.6 * draws
    last = np.where(stops.any(axis=1), stops.argmax(axis=1), LOOKS - 1)
    return counts[np.arange(IMAGES), last], draws[last]


def _holds(band: Band) -> bool:
    """Return whether the band contains the true distribution function, 0 below one half and 1 from there."""
    true = (band.at >= 0.5).astype(float)
    return bool(((band.lower <= true + 1e-12) & (true <= band.upper + 1e-12)).all())


@pytest.mark.statistical
def test_the_band_of_probabilities_survives_early_stopping() -> None:
    """It fails in at most delta of all runs, however the draws were stopped. False-alarm rate: below 1e-6."""
    generator = np.random.default_rng(7)
    runs = [_stopped_early(generator) for _ in range(REPEATS)]
    failures = sum(not _holds(probability_band(k, n, LOOKS, ALPHA, DELTA)) for k, n in runs)
    assert failures <= MOST_FAILURES


def test_the_plain_band_does_not_survive_early_stopping() -> None:
    """Around k/n alone the band misses the probabilities: the widening is needed."""
    counts, draws = _stopped_early(np.random.default_rng(7))
    assert not _holds(share_band(counts / draws, DELTA))
