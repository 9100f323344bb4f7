"""The registry, the built-in model, and classifiers made from any module."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import safetensors.torch
import torch
from pydantic import ValidationError
from torch import nn

from certd import models
from certd.datasets import load_dataset
from certd.errors import DigestMismatch, ModelError, NotFound
from certd.models import BaseClassifier, ModelSpecification, find_model, load_model, model_names
from certd.models.architectures import DigitsCnn
from certd.models.builtin import train_digits_cnn
from certd.models.normalized import Normalized
from certd.models.registry import BUILTIN_FOLDER

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a registry of our own that holds a copy of the built-in model."""
    for path in BUILTIN_FOLDER.glob("digits-cnn.*"):
        shutil.copy(path, tmp_path)
    return tmp_path


def rewrite(folder: Path, **members: Any) -> None:
    """Change members of the sidecar in ``folder``."""
    sidecar = folder / "digits-cnn.json"
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | members))


def linear(*, scale: float = 1.0) -> nn.Module:
    """Return a linear classifier of 1 x 2 x 2 images with known weights."""
    dense = nn.Linear(4, 2)
    nn.init.constant_(dense.weight, scale)
    nn.init.zeros_(dense.bias)
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), dense)


def test_the_built_in_model_recognises_clean_digits() -> None:
    """At least 97 of 100 held-out digits are recognised without noise; the figure is exact, not sampled."""
    digits = load_dataset("digits")
    classifier = load_model("digits-cnn")
    with torch.inference_mode():
        logits = classifier.module(torch.from_numpy(digits.images).float() / 255)
    assert logits.shape == (360, classifier.num_classes)
    assert np.mean(logits.argmax(1).numpy() == digits.labels) >= 0.97


def test_a_loaded_classifier_is_a_frozen_function() -> None:
    """It is in eval mode, learns nothing, and carries its specification."""
    classifier = load_model("digits-cnn")
    assert not any(module.training for module in classifier.module.modules())
    assert not any(parameter.requires_grad for parameter in classifier.module.parameters())
    assert classifier.specification == find_model("digits-cnn")
    assert classifier.reference == find_model("digits-cnn").reference


def test_loading_leaves_the_random_numbers_alone() -> None:
    """Building the network draws nothing from the caller's generator."""
    before = torch.get_rng_state()
    load_model("digits-cnn")
    assert torch.equal(torch.get_rng_state(), before)


def test_one_changed_bit_of_the_weights_is_noticed(folder: Path) -> None:
    """The digest is checked on every load."""
    load_model("digits-cnn", folder=folder)
    weights = folder / "digits-cnn.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(DigestMismatch, match=r"digits-cnn\.safetensors"):
        load_model("digits-cnn", folder=folder)


@pytest.mark.parametrize("data", [b"no tensors", safetensors.torch.save({"other": torch.zeros(1)})])
def test_weights_of_another_network_are_refused(folder: Path, data: bytes) -> None:
    """Registered bytes that do not fit the architecture are the model's error."""
    (folder / "digits-cnn.safetensors").write_bytes(data)
    rewrite(folder, sha256=hashlib.sha256(data).hexdigest())
    with pytest.raises(ModelError, match="does not hold the weights"):
        load_model("digits-cnn", folder=folder)


def test_missing_weights_are_told_as_missing(folder: Path) -> None:
    """A sidecar without its file is no model."""
    (folder / "digits-cnn.safetensors").unlink()
    with pytest.raises(NotFound, match="restore it"):
        load_model("digits-cnn", folder=folder)


def test_an_unknown_architecture_is_answered_with_those_that_exist(folder: Path) -> None:
    """The refusal lists what can be built."""
    rewrite(folder, architecture="transformer")
    with pytest.raises(NotFound, match=r"'transformer'; there are .*, digits-cnn,"):
        load_model("digits-cnn", folder=folder)


def test_a_model_is_found_by_name_and_by_pin() -> None:
    """Both references name the same entry."""
    specification = find_model("digits-cnn")
    assert find_model(specification.reference) == specification
    assert "digits-cnn" in model_names()


@pytest.mark.parametrize(
    "reference", ["resnet", "../digits-cnn", "", "*", "digits-cnn@", "digits-cnn@sha256:0"]
)
def test_no_other_reference_finds_a_model(reference: str) -> None:
    """An unknown name, a path, a pattern and another pin are not found."""
    with pytest.raises(NotFound):
        find_model(reference)


@pytest.mark.parametrize(
    "change",
    [{"mean": [0.5]}, {"std": [0.5]}, {"sha256": "0" * 64}, {"architecture": "other"}, {"num_classes": 9}],
)
def test_whatever_changes_the_function_changes_the_pin(folder: Path, change: dict[str, Any]) -> None:
    """Another normalisation is another classifier, even with the same weights."""
    pinned = find_model("digits-cnn", folder).reference
    rewrite(folder, **change)
    with pytest.raises(NotFound, match="is registered as"):
        find_model(pinned, folder)


def test_a_description_does_not_change_the_pin(folder: Path) -> None:
    """Words are not part of the function."""
    pinned = find_model("digits-cnn", folder).reference
    rewrite(folder, description="Other words.", training_sigma=None)
    assert find_model(pinned, folder).description == "Other words."


@pytest.mark.parametrize(
    "change",
    [
        {"aplha": 1}, {"std": [0.0]}, {"std": [0.1, 0.1]}, {"mean": []}, {"mean": [float("nan")]},
        {"sha256": "ABC"}, {"num_classes": 1}, {"input_shape": [1, 0, 8]}, {"name": "../x"},
    ],
)  # fmt: skip
def test_a_specification_outside_its_domain_is_refused(change: dict[str, Any]) -> None:
    """Unknown and impossible members do not become a model."""
    with pytest.raises(ValidationError):
        ModelSpecification.model_validate(find_model("digits-cnn").model_dump() | change)


def test_the_registry_needs_no_torch() -> None:
    """The API process lists models without importing torch."""
    script = (
        "import sys, certd.models as m; m.find_model('digits-cnn').digest; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_an_attribute_that_does_not_exist_is_an_attribute_error() -> None:
    """Late imports do not swallow a misspelling."""
    with pytest.raises(AttributeError, match="load_modle"):
        _ = models.load_modle


def test_any_module_becomes_a_deterministic_classifier() -> None:
    """Dropout is off: the same image has the same logits every time."""
    classifier = BaseClassifier.from_module(linear(), "linear", (1, 2, 2), 2)
    images = torch.rand(8, 1, 2, 2)
    assert torch.equal(classifier.module(images), classifier.module(images))
    assert classifier.reference == f"linear@sha256:{classifier.digest}"


def test_the_digest_of_a_module_follows_its_weights_and_layers() -> None:
    """Equal modules have equal digests; other weights or layers have others."""
    digests = {
        BaseClassifier.from_module(module, "any", (1, 2, 2), 2).digest
        for module in (linear(), linear(), linear(scale=2), nn.Sequential(linear(), nn.ReLU()))
    }
    assert len(digests) == 3


def test_the_digest_tells_layers_apart_that_have_no_weights() -> None:
    """Two activations over the same weights are two functions."""
    dense = nn.Linear(4, 2)
    digests = {
        BaseClassifier.from_module(nn.Sequential(nn.Flatten(), dense, activation), "any", (1, 2, 2), 2).digest
        for activation in (nn.ReLU(), nn.Tanh())
    }
    assert len(digests) == 2


def test_weights_of_half_precision_and_scalars_have_a_digest() -> None:
    """Every type and shape of state is hashed, bit for bit."""
    module = nn.BatchNorm2d(1).to(torch.bfloat16)
    assert len(BaseClassifier.from_module(module, "half", (1, 2, 2), 2).digest) == 64


def test_normalisation_is_channel_by_channel() -> None:
    """Each channel is shifted and scaled by its own numbers, in that order."""
    normalized = Normalized(nn.Identity(), mean=(0.5, 0.25), std=(0.5, 0.125))
    assert normalized(torch.full((1, 2, 1, 1), 0.5)).flatten().tolist() == [0.0, 2.0]


@pytest.mark.slow
def test_training_is_reproducible_and_registers_what_loads(tmp_path: Path) -> None:
    """One seed gives one digest, and what is registered is what is loaded."""
    networks = [train_digits_cnn.train(seed=3, steps=2) for _ in range(2)]
    first, second = (train_digits_cnn.register(network, tmp_path) for network in networks)
    assert first == second
    loaded = load_model("digits-cnn", folder=tmp_path).module.get_submodule("network").state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in networks[0].state_dict().items())


def test_the_digits_network_has_the_size_it_says() -> None:
    """The docstring's count of weights is right."""
    count = sum(parameter.numel() for parameter in DigitsCnn((1, 8, 8), 10).parameters())
    assert f"{count:_}".replace("_", " ") in str(DigitsCnn.__doc__)
