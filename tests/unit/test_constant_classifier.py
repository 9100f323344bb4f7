"""The classifier that sees nothing: its ACR is the trivial one, and the page says what it is."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from certd.datasets import open_dataset
from certd.local import certify
from certd.models import BaseClassifier
from certd.reports import summarize
from certd.reports.page import page_of_run

pytestmark = pytest.mark.slow


class Constant(nn.Module):
    """Always answers one class."""

    def __init__(self, answer: int) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits of ten classes."""
        return nn.functional.one_hot(torch.full((len(images),), self.answer), 10).float()


def test_a_constant_classifier_has_exactly_the_trivial_average_and_is_named() -> None:
    """On the digits, with the most frequent class; at no abstention the two numbers are one."""
    digits = open_dataset("digits").select(limit=100)
    assert digits.labels is not None
    answer = int(torch.bincount(torch.as_tensor(digits.labels)).argmax())
    classifier = BaseClassifier.from_module(Constant(answer), "constant", (1, 8, 8), 10)
    run = certify(classifier, digits, sigma=0.25, plan="fixed", n=1000, seed=1)
    report = summarize(run)
    assert report["average_certified_radius"]["value"] == report["trivial_baseline"]["average_radius"]
    assert report["abstention_rate"] == 0
    assert "constant classifier" in report["warnings"][0]
    assert "this is a constant classifier" in page_of_run(run)
    assert "this is a constant classifier" not in page_of_run(
        certify("digits-cnn", digits, sigma=0.25, plan="fixed", n=100, seed=1)
    )
