"""Votes in bfloat16 certify the float32 classifier only after a bound on how often the two differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import certd
from certd.models import BaseClassifier
from certd.smoothing import Phase

pytestmark = pytest.mark.statistical

# In bfloat16 x + 8 is rounded to 1/16, which moves the boundary from 142.5 levels to 135.5.
PIXEL, FLOAT32_BOUNDARY, BFLOAT16_BOUNDARY = 158, 142.5, 135.5
MARGIN = (PIXEL - FLOAT32_BOUNDARY) / 255
WRONG_MARGIN = (PIXEL - BFLOAT16_BOUNDARY) / 255
SEEDS, ALPHA = 200, 0.05


class CoarseInBfloat16(nn.Module):
    """Class 1 where the first pixel is above .56; bfloat16 moves the boundary outwards."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits whose difference is twice the distance to the boundary, coarsely."""
        distance = images.flatten(1)[:, 0] + 8 - 8 - 0.56
        return torch.stack([-distance, distance], dim=1)


@pytest.fixture(scope="module")
def classifier() -> BaseClassifier:
    """Return a classifier whose two executions have different boundaries, both known."""
    return BaseClassifier.from_module(CoarseInBfloat16(), "coarse", (1, 2, 2), 2)


def _radii(classifier: BaseClassifier, dtype: str, plan: str) -> list[float]:
    image = np.full((1, 1, 2, 2), PIXEL, dtype=np.uint8)
    radii: dict[str, Any] = {"radii": (0.0, 0.02, 0.04, 0.065)} if plan == "radii" else {}
    return [
        certd.certify(
            classifier,
            image,
            labels=[1],
            sigma=0.25,
            plan=plan,
            n=5000,
            alpha=ALPHA,
            seed=seed,
            dtype=dtype,
            batch_size=512,
            **radii,
        )
        .certificates[0]
        .conclusion.radius
        for seed in range(SEEDS)
    ]


@pytest.mark.parametrize("plan", ["fixed", "radii"])
def test_checked_radii_hold_for_float32(classifier: BaseClassifier, plan: str) -> None:
    """None of 200 exceeds the float32 margin, where alpha would let 10 pass; False-alarm rate: under 1e-4."""
    radii = _radii(classifier, "checked", plan)
    assert sum(radius > MARGIN for radius in radii) <= ALPHA * SEEDS * 2.5
    assert max(radii) > 0


@pytest.mark.parametrize("plan", ["fixed", "radii"])
def test_the_votes_alone_would_break_the_promise(classifier: BaseClassifier, plan: str) -> None:
    """Unchecked, most radii exceed the float32 margin, and hold for the bfloat16 classifier alone."""
    radii = _radii(classifier, "bfloat16", plan)
    assert np.mean([radius > MARGIN for radius in radii]) > 0.5
    assert np.mean([radius > WRONG_MARGIN for radius in radii]) <= ALPHA * 2


def test_the_check_counts_how_often_the_two_differ(classifier: BaseClassifier) -> None:
    """Seven levels lie between the boundaries: some 4.2 % of the copies. False-alarm rate: under 1e-6."""
    image = np.full((1, 1, 2, 2), PIXEL, dtype=np.uint8)
    run = certd.certify(classifier, image, sigma=0.25, plan="fixed", n=100, dtype="checked", seed=1)
    agreed, differed = run.certificates[0].record.tallies[Phase.CHECK].counts
    assert agreed + differed == 2000
    assert 40 <= differed <= 140
