"""Certifying from Python: the names, defaults and counts of everywhere else."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import certd
from certd.datasets import load_dataset
from certd.errors import CannotCertify, InvalidParameter, OutOfRange
from certd.models import BaseClassifier
from certd.smoothing import Certification, Run

DIGITS = load_dataset("digits").select(limit=3)


def _counts(run: Run) -> list[dict[str, Any]]:
    return [certificate.row() for certificate in run.certificates]


def test_arrays_and_data_sets_get_the_same_counts() -> None:
    """uint8 pixels, the same pixels as floats, and the named set are certified alike."""
    options: dict[str, Any] = {"sigma": 0.25, "plan": "fixed", "n": 200, "seed": 9}
    named = certd.certify("digits-cnn", DIGITS, **options)
    pixels = certd.certify("digits-cnn", DIGITS.images, DIGITS.labels, **options)
    floats = certd.certify("digits-cnn", DIGITS.images / 255, DIGITS.labels, **options)
    assert _counts(named) == _counts(pixels) == _counts(floats)


def test_a_module_of_ones_own_is_certified() -> None:
    """Any torch module becomes a base classifier; its certificates name its digest."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    classifier = BaseClassifier.from_module(module, "mine", (1, 8, 8), 10)
    run = certd.certify(classifier, DIGITS.images, sigma=0.1, n=500, pilot=100)
    certification = run.manifest.certification
    assert isinstance(certification, Certification)
    assert certification.plan.kind == "precision"
    assert certification.model == classifier.reference


def test_bad_options_and_images_are_refused_by_name() -> None:
    """A misspelt option, hopeless settings and pixels off the grid raise errors that say so."""
    with pytest.raises(InvalidParameter, match="aplha"):
        certd.certify("digits-cnn", DIGITS, sigma=0.25, aplha=0.01)
    with pytest.raises(CannotCertify):
        certd.certify("digits-cnn", DIGITS, sigma=0.25, plan="fixed", n=5)
    with pytest.raises(OutOfRange):
        certd.certify("digits-cnn", np.full((1, 1, 8, 8), 0.5001), sigma=0.25)


def test_importing_certd_costs_next_to_nothing() -> None:
    """The package imports in under 300 ms beyond the interpreter itself, best of three."""
    code = "import time; t = time.perf_counter(); import certd; print(time.perf_counter() - t)"
    best = min(
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
        for _ in range(3)
    )
    assert best < 0.3
