"""Published weights recognise what they are published to recognise.

The files are found through ``CERTD_TEST_DATA``. Accuracies are exact numbers of fixed images, not samples.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from certd.datasets import open_dataset
from certd.models import Declaration, inspect_model, load_model, open_model, register_model
from certd.models.draft import draft_model

if TYPE_CHECKING:
    from certd.datasets import Dataset, LazyDataset
    from certd.models import BaseClassifier

pytestmark = pytest.mark.slow

DATA = Path(os.environ.get("CERTD_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
CIFAR_SET, MNIST_SET = f"npz:{DATA}/cifar10_test.npz", f"npz:{DATA}/mnist.npz?split=test"
RESNET20 = ("resnet20-12fca82f.th", Declaration(architecture="cifar-resnet20", preset="cifar10-imagenet-std"))
CIFAR_CONVEX = (
    "cifar_small_36px.pth",
    Declaration(architecture="convex-small", preset="cifar10-imagenet-std", std=(0.225, 0.225, 0.225)),
)
MNIST_CONVEX = ("mnist_convex.pth", Declaration(architecture="convex-small", preset="mnist"))
NOISE_TRAINED = ("resnet20_noise_0.25.pth", Declaration(preset="cifar10-pixel-std", name="resnet20-noise"))


@pytest.fixture(autouse=True)
def _data() -> None:
    """Skip where the files are absent; in CI that is a failure."""
    if DATA.is_dir():
        return
    reason = f"no published weights in {DATA}; CERTD_TEST_DATA says where they are"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def open_weights(case: tuple[str, Declaration]) -> BaseClassifier:
    """Return a published classifier."""
    name, declaration = case
    return open_model(str(DATA / "weights" / name), declaration)


def accuracy(classifier: BaseClassifier, dataset: Dataset | LazyDataset) -> float:
    """Return the part of ``dataset`` that is recognised without noise."""
    correct = 0
    with torch.inference_mode():
        for part in dataset.parts(500):
            predictions = classifier.module(torch.from_numpy(part.images).float() / 255).argmax(1)
            correct += int((predictions == torch.as_tensor(part.labels)).sum())
    return correct / len(dataset)


@pytest.mark.parametrize(
    ("case", "dataset", "expected"),
    [(RESNET20, CIFAR_SET, 0.915), (CIFAR_CONVEX, CIFAR_SET, 0.553), (MNIST_CONVEX, MNIST_SET, 0.981)],
    ids=["resnet20", "cifar-convex", "mnist-convex"],
)
def test_published_weights_recognise_the_first_thousand_images(
    case: tuple[str, Declaration], dataset: str, expected: float
) -> None:
    """Architecture, names of weights, normalisation and data agree; two images are left to rounding."""
    assert accuracy(open_weights(case), open_dataset(dataset).select(limit=1000)) == pytest.approx(
        expected, abs=0.002
    )


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("case", "dataset", "published"),
    [(RESNET20, CIFAR_SET, 0.9173), (CIFAR_CONVEX, CIFAR_SET, 0.544), (MNIST_CONVEX, MNIST_SET, 0.982)],
    ids=["resnet20", "cifar-convex", "mnist-convex"],
)
def test_published_weights_reproduce_their_accuracy(
    case: tuple[str, Declaration], dataset: str, published: float
) -> None:
    """All 10,000 test images give the published figure. Nothing is drawn: no false alarm."""
    assert accuracy(open_weights(case), open_dataset(dataset)) == pytest.approx(published, abs=0.0006)


def test_a_checkpoint_of_the_smoothing_literature_needs_only_its_normalisation() -> None:
    """Architecture and training noise are read off the file, and all that was assumed is said."""
    specification = open_weights(NOISE_TRAINED).specification
    assert specification is not None
    assert (specification.architecture, specification.training_sigma) == ("cifar-resnet20", 0.25)
    assert "Assumed from the preset cifar10-pixel-std" in specification.description
    assert "0.2435" in specification.description


def test_a_registered_checkpoint_is_loaded_by_its_pin(tmp_path: Path) -> None:
    """What is drafted, registered and pinned is what is loaded."""
    name, declaration = NOISE_TRAINED
    specification = draft_model(str(DATA / "weights" / name), declaration).specification
    register_model(tmp_path / "models.yaml", specification)
    loaded = load_model(specification.reference, registry=tmp_path / "models.yaml")
    assert loaded.specification == specification


def test_inspection_tells_a_model_that_was_not_trained_under_noise() -> None:
    """Accuracy without noise is fine and under noise is chance: that is said."""
    found = inspect_model(open_weights(RESNET20), open_dataset(CIFAR_SET), 0.25, num_images=100)
    assert found.clean_accuracy > 0.85
    assert found.noisy_accuracy < 0.2
    assert any("not to be trained for it" in warning for warning in found.warnings)


def test_inspection_is_silent_about_a_model_that_was_trained_under_noise() -> None:
    """A sound model in its own noise has no warning."""
    found = inspect_model(open_weights(NOISE_TRAINED), open_dataset(CIFAR_SET), 0.25, num_images=100)
    assert found.noisy_accuracy > 0.6
    assert found.warnings == ()
