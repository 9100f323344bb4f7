"""Training: from a seed, resumable to the last bit, and what it writes can be registered and certified."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from typer.testing import CliRunner

from certd.cli import app
from certd.datasets import Dataset, open_dataset
from certd.errors import DigestMismatch, InvalidParameter, ModelError, NotFound
from certd.local import certify
from certd.models import Declaration, load_model, open_model
from certd.training import Epoch, GaussianAugmentation, TrainingSettings, TrainingState, train
from certd.training.augmentation import crop_and_flip
from certd.training.loop import learning_rate
from certd.training.network import fresh_classifier

if TYPE_CHECKING:
    from pathlib import Path

    from certd.models.normalized import Normalized

pytestmark = pytest.mark.slow

SETTINGS = TrainingSettings(epochs=4, batch_size=64, learning_rate=0.1, seed=5)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Sums over threads round differently; the promise is for one."""
    torch.set_num_threads(1)


def _fresh(seed: int = 5) -> Normalized:
    return fresh_classifier("digits-cnn", (1, 8, 8), 10, mean=(0.3,), std=(0.4,), seed=seed)


def _digits(limit: int = 256) -> Dataset:
    chosen = open_dataset("digits-train").select(limit=limit)
    assert isinstance(chosen, Dataset)
    return chosen


def _weights(classifier: Normalized) -> bytes:
    return b"".join(tensor.numpy().tobytes() for tensor in classifier.state_dict().values())


def test_one_seed_gives_one_network() -> None:
    """Equal settings give equal weights; another seed gives others; the caller's random numbers are kept."""
    made = []
    before = torch.get_rng_state()
    for seed in (5, 5, 6):
        classifier = _fresh(seed)
        settings = SETTINGS.model_copy(update={"epochs": 1, "seed": seed})
        train(classifier, _digits(), GaussianAugmentation(0.25), settings)
        made.append(_weights(classifier))
    assert made[0] == made[1] != made[2]
    assert torch.equal(torch.get_rng_state(), before)


def test_a_run_that_stopped_ends_with_the_weights_of_one_that_did_not(tmp_path: Path) -> None:
    """After every epoch, whatever it is stopped by; momentum and learning rate go on too."""
    undisturbed, resumed = _fresh(), _fresh()
    train(undisturbed, _digits(), GaussianAugmentation(0.25), SETTINGS)
    file = tmp_path / "state"

    def stop_after_two(epoch: Epoch, state: TrainingState) -> None:
        state.write(file)
        if epoch.number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(_fresh(), _digits(), GaussianAugmentation(0.25), SETTINGS, run="r", on_epoch=stop_after_two)
    state = TrainingState.read(file, "r")
    assert state.epoch == 2
    train(resumed, _digits(), GaussianAugmentation(0.25), SETTINGS, run="r", state=state)
    assert _weights(resumed) == _weights(undisturbed)


def test_a_state_stays_as_it_was_taken() -> None:
    """Training goes on beside it, and may begin from it twice: no tensor of it is one that lives on."""
    undisturbed, states = _fresh(), list[TrainingState]()
    train(
        undisturbed, _digits(64), GaussianAugmentation(0.25), SETTINGS, run="r",
        on_epoch=lambda _, state: states.append(state),
    )  # fmt: skip
    for _ in range(2):
        resumed = _fresh()
        train(resumed, _digits(64), GaussianAugmentation(0.25), SETTINGS, run="r", state=states[1])
        assert _weights(resumed) == _weights(undisturbed)


def test_a_state_of_another_run_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    """Going on with other settings would give weights that no settings describe."""
    file = tmp_path / "state"
    one_epoch = SETTINGS.model_copy(update={"epochs": 1})
    train(
        _fresh(),
        _digits(64),
        GaussianAugmentation(0.25),
        one_epoch,
        run="r",
        on_epoch=lambda _, state: state.write(file),
    )
    with pytest.raises(InvalidParameter, match="other settings"):
        TrainingState.read(file, "another")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ModelError, match="no intact"):
        TrainingState.read(file, "r")


def test_noise_is_in_units_of_pixels_and_before_normalisation() -> None:
    """What the network sees is image plus sigma times a standard normal: mean and scale say so."""
    seen = []

    class Spy(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen.append(images)
            return torch.zeros(len(images), 2)

    images = torch.full((100, 3, 32, 32), 0.5)
    GaussianAugmentation(0.25).loss(
        Spy(), images, torch.zeros(100, dtype=torch.int64), torch.Generator().manual_seed(1)
    )
    assert float(seen[0].mean()) == pytest.approx(0.5, abs=0.002)
    assert float(seen[0].std()) == pytest.approx(0.25, abs=0.002)


def test_crops_are_shifts_and_flips_are_mirrors() -> None:
    """Every copy is a window of the padded image, mirrored or not; both happen."""
    image = torch.arange(64.0).reshape(1, 1, 8, 8) + 1
    copies = crop_and_flip(image.repeat(200, 1, 1, 1), torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(image[0, 0], (1, 1, 1, 1))
    windows = [padded[i : i + 8, j : j + 8] for i in range(3) for j in range(3)]
    found = [
        any(torch.equal(copy[0], window) for window in windows)
        or any(torch.equal(copy[0], window.flip(1)) for window in windows)
        for copy in copies
    ]
    assert all(found)
    assert len({copy.numpy().tobytes() for copy in copies}) == 18


@pytest.mark.parametrize(
    ("schedule", "rates"), [("constant", [1, 1, 1]), ("step", [1, 0.1, 0.01]), ("cosine", [1, 0.75, 0.25])]
)
def test_learning_rates_follow_their_schedule(schedule: str, rates: list[float]) -> None:
    """The first epoch has the whole rate."""
    settings = TrainingSettings.model_validate({"epochs": 3, "learning_rate": 1, "schedule": schedule})
    assert [learning_rate(settings, epoch) for epoch in (1, 2, 3)] == pytest.approx(rates)


def test_what_cannot_be_trained_is_refused() -> None:
    """Unknown networks, settings outside their domain, unlabelled data, a loss that explodes."""
    with pytest.raises(NotFound, match="lenet"):
        fresh_classifier("nope", (1, 8, 8), 10, mean=(0.0,), std=(1.0,), seed=0)
    with pytest.raises(ValidationError):
        TrainingSettings(epochs=0)
    with pytest.raises(InvalidParameter, match="sigma"):
        GaussianAugmentation(-1.0)
    digits = _digits(64)
    blind = Dataset("blind", digits.images, None, digits.image_ids)
    with pytest.raises(InvalidParameter, match="labels"):
        train(_fresh(), blind, GaussianAugmentation(0.25), SETTINGS)
    wild = SETTINGS.model_copy(update={"learning_rate": 1e12})
    with pytest.raises(ModelError, match="finite"):
        train(_fresh(), digits, GaussianAugmentation(0.25), wild)


def test_a_trained_network_is_registered_and_certified_by_three_commands(tmp_path: Path) -> None:
    """The way of a researcher: train, register, certify; the sidecar says what the weights do not."""
    weights, registry = tmp_path / "mine.safetensors", tmp_path / "models.yaml"
    invoke = CliRunner().invoke
    done = invoke(
        app,
        ["train", "digits-cnn", "digits-train", "--sigma", ".25", "--epochs", "3", "--lr", ".1",
         "--batch", "64", "--out", str(weights)],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "models register mine" in done.output
    assert not weights.with_suffix(".training").exists()
    registered = invoke(app, ["models", "register", "mine", str(weights), "--registry", str(registry)])
    assert registered.exit_code == 0, registered.output
    classifier = load_model("mine", registry=registry)
    assert classifier.specification is not None
    assert classifier.specification.training_sigma == 0.25
    digits = open_dataset("digits").select(limit=40)
    run = certify(classifier, digits, sigma=0.25, plan="fixed", n=100, seed=1)
    assert np.mean([certificate.correct is True for certificate in run.certificates]) > 0.6


def test_a_sidecar_of_other_weights_is_refused(tmp_path: Path) -> None:
    """Weights and sidecar name one another by digest."""
    weights = tmp_path / "mine.safetensors"
    arguments = ["train", "digits-cnn", "digits-train", "--sigma", "0", "--epochs", "1", "--limit", "64"]
    assert CliRunner().invoke(app, [*arguments, "--out", str(weights)]).exit_code == 0
    assert open_model(str(weights), Declaration(name="m")).input_shape == (1, 8, 8)
    sidecar = weights.with_suffix(".json")
    text = sidecar.read_text()
    sidecar.write_text(text.replace(hashlib.sha256(weights.read_bytes()).hexdigest(), "0" * 64))
    with pytest.raises(DigestMismatch, match="belong together"):
        open_model(str(weights), Declaration(name="m"))
    sidecar.write_text(text[:-9])
    with pytest.raises(ModelError, match=r"mine\.json"):
        open_model(str(weights), Declaration(name="m"))
