"""An inspection says what looks wrong before anything is spent."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from certd.cli import app
from certd.datasets import Dataset, load_dataset
from certd.errors import InvalidParameter, ShapeMismatch
from certd.models import BaseClassifier, inspect_model, load_model
from certd.models.normalized import Normalized

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="module")
def digits() -> Dataset:
    """Return the held-out digits."""
    return load_dataset("digits")


@pytest.fixture(scope="module")
def classifier() -> BaseClassifier:
    """Return the classifier of digits, trained under noise of sigma .25."""
    return load_model("digits-cnn")


def relabelled(digits: Dataset, change: Callable[[np.ndarray], np.ndarray]) -> Dataset:
    """Return the digits under other labels, without the names of the classes."""
    assert digits.labels is not None
    return replace(digits, labels=change(digits.labels), class_names=())


def test_a_sound_model_has_no_warning(digits: Dataset, classifier: BaseClassifier) -> None:
    """Shape, size, arithmetic and both accuracies are told."""
    found = inspect_model(classifier, digits, 0.25)
    assert (found.input_shape, found.num_classes, found.num_parameters) == ((1, 8, 8), 10, 95_218)
    assert (found.reference, found.arithmetic) == (classifier.reference, "float32")
    assert (found.num_images, found.warnings) == (360, ())
    assert found.clean_accuracy >= found.noisy_accuracy > 0.9


def test_an_inspection_is_reproducible(digits: Dataset, classifier: BaseClassifier) -> None:
    """One seed chooses the images and the noise, and leaves the caller's random numbers alone."""
    before = torch.get_rng_state()
    first, second = (inspect_model(classifier, digits, 0.5, num_images=100, seed=3) for _ in range(2))
    assert first == second
    assert first.num_images == 100
    assert torch.equal(torch.get_rng_state(), before)


def test_another_sigma_than_that_of_training_is_said(digits: Dataset, classifier: BaseClassifier) -> None:
    """And at a hopeless one the fall to chance is said too."""
    found = inspect_model(classifier, digits, 4.0)
    assert found.warnings[0] == "Trained under noise of sigma 0.25, and looked at under 4."
    assert "not to be trained for it" in found.warnings[1]


def test_a_model_normalised_twice_is_noticed(digits: Dataset, classifier: BaseClassifier) -> None:
    """The network alone does better than behind the declared normalisation."""
    twice = Normalized(classifier.module, (0.305,), (50.0,))
    found = inspect_model(BaseClassifier.from_module(twice, "twice", (1, 8, 8), 10), digits, 0.25)
    assert "twice is once too often" in found.warnings[0]


def test_another_preset_that_fits_better_is_named(digits: Dataset) -> None:
    """A wrong mean or scale is found among the literature's."""

    class Bright(nn.Module):
        """Class 1 where the mean pixel is positive: right only after the mean of MNIST is subtracted."""

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            brightness = images.mean((1, 2, 3))
            return torch.stack([-brightness, brightness], dim=1)

    images = np.where(np.arange(200) % 2, 60, 10).astype(np.uint8)[:, None, None, None]
    halves = Dataset("halves", images, np.arange(200, dtype=np.int64) % 2, np.arange(200, dtype=np.uint64))
    module = Normalized(Bright(), (0.0,), (1.0,))
    found = inspect_model(BaseClassifier.from_module(module, "bright", (1, 1, 1), 2), halves, 0.01)
    assert "100.0% with the preset mnist-pixel-std" in found.warnings[0]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda labels: labels + 1, r"shifted: label -1 agrees"),
        (lambda labels: (labels * 3 + 1) % 10, r"permuted.*label 0 is class 3, 1 is class 0"),
        (lambda labels: (labels * 37 + np.arange(len(labels)) ** 2) % 10, "close to guessing"),
    ],
    ids=["from one", "permuted", "shuffled"],
)
def test_labels_that_do_not_fit_are_explained(
    digits: Dataset, classifier: BaseClassifier, change: Callable[[np.ndarray], np.ndarray], complaint: str
) -> None:
    """A shift or a permutation is told as such; labels without sense are only doubted."""
    found = inspect_model(classifier, relabelled(digits, change), 0.25)
    assert any(re.search(complaint, warning) for warning in found.warnings)


def test_what_cannot_be_inspected_is_refused(digits: Dataset, classifier: BaseClassifier) -> None:
    """No labels, no noise, no images, or images of another shape."""
    with pytest.raises(InvalidParameter, match="no labels"):
        inspect_model(classifier, replace(digits, labels=None), 0.25)
    for sigma, num_images in ((0.0, 10), (float("inf"), 10), (0.25, 0)):
        with pytest.raises(InvalidParameter, match="must be positive"):
            inspect_model(classifier, digits, sigma, num_images=num_images)
    with pytest.raises(ShapeMismatch, match="takes"):
        inspect_model(classifier, replace(digits, images=digits.images[:, :, :4]), 0.25)


def test_the_command_says_how_the_model_would_be_executed() -> None:
    """Shape, arithmetic and every choice of the runtime, in words and in JSON."""
    arguments = [
        "models",
        "inspect",
        "digits-cnn",
        "digits",
        "--sigma",
        ".25",
        "--images",
        "50",
        "--batch",
        "64",
    ]
    said = CliRunner().invoke(app, [*arguments, "--dtype", "bfloat16"]).output
    for phrase in ("1x8x8, 10 classes", "bfloat16; normalisation", "TF32 off, deterministic; 64 rows"):
        assert phrase in said, said
    found = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert found["execution"]["dtype"] == "float32"
    assert found["execution"]["batch_size"] == 64
