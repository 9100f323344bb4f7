"""The recipe of easy images: its weights, its attack, what it discards, and going on in every phase of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from certd.cli import app
from certd.cli.device import chosen_device
from certd.datasets import Dataset, open_dataset
from certd.errors import InvalidParameter, ModelError, NotFound
from certd.training import (
    TRAINING_PRESETS,
    EasyImages,
    Epoch,
    GaussianAugmentation,
    ServedImages,
    TrainingSettings,
    TrainingState,
    attack_on_sphere,
    choose_recipe,
    radius_weights,
    train,
)
from certd.training.counting import count_labels
from certd.training.loop import learning_rate
from certd.training.network import fresh_classifier

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from certd.models.normalized import Normalized

SETTINGS = TrainingSettings(epochs=5, batch_size=64, learning_rate=0.1, seed=5)
RECIPE = EasyImages(0.25, draws=2, discard_after=2, discard_below=0.2, reweight_every=2, attack_steps=1)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Sums over threads round differently; the promise is for one."""
    torch.set_num_threads(1)


def _fresh() -> Normalized:
    return fresh_classifier("digits-cnn", (1, 8, 8), 10, mean=(0.3,), std=(0.4,), seed=5)


def _digits(limit: int = 96) -> Dataset:
    chosen = open_dataset("digits-train").select(limit=limit)
    assert isinstance(chosen, Dataset)
    return chosen


def _weights(classifier: Normalized) -> bytes:
    return b"".join(tensor.numpy().tobytes() for tensor in classifier.state_dict().values())


def _batch(copies: int = 32) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    digits = _digits(copies)
    assert digits.labels is not None
    images = torch.from_numpy(digits.images).float() / 255
    noise = 0.5 * torch.randn(images.shape, generator=torch.Generator().manual_seed(1))
    return images, torch.from_numpy(digits.labels), noise


@pytest.fixture(scope="module")
def trained() -> Normalized:
    """Return a network that recognises some noisy digits and not others."""
    torch.set_num_threads(1)
    classifier = _fresh()
    train(classifier, _digits(256), GaussianAugmentation(0.25), SETTINGS.model_copy(update={"epochs": 6}))
    return classifier


def test_weights_are_ratios_of_certified_radii() -> None:
    """The published table, to its last digit, and 1 for every count up to 12."""
    weights = radius_weights(torch.arange(17))
    assert [round(float(weight), 3) for weight in weights[12:]] == [1, 2.138, 3.42, 4.976, 7.206]
    assert weights[:13].tolist() == [1.0] * 13


@pytest.mark.parametrize("step_size", [0.25, 2.0, 1e4])
def test_the_attack_stays_on_the_sphere_of_the_drawn_noise(trained: Normalized, step_size: float) -> None:
    """However far a step goes, each copy's noise keeps its length to one part in 100,000."""
    images, labels, noise = _batch()
    moved = attack_on_sphere(trained, images, labels, noise, steps=4, step_size=step_size)
    before, after = noise.flatten(1).norm(dim=1), moved.flatten(1).norm(dim=1)
    assert torch.allclose(after, before, rtol=1e-5, atol=0)
    assert not torch.equal(moved, noise)


def test_the_attack_leaves_misclassified_noise_alone(trained: Normalized) -> None:
    """Bit for bit where the network errs at the start; and from the step on at which it begins to err."""
    images, labels, noise = _batch()
    wrong = trained(images + noise).argmax(1) != labels
    assert wrong.any()
    assert not wrong.all()
    one, many = (
        attack_on_sphere(trained, images, labels, noise, steps=steps, step_size=0.5) for steps in (1, 9)
    )
    assert torch.equal(one[wrong], noise[wrong])
    assert (one[~wrong] != noise[~wrong]).flatten(1).any(1).all()
    lost = trained(images + one).argmax(1) != labels
    assert (lost & ~wrong).any(), "the step must turn some right answers wrong"
    assert torch.equal(many[lost], one[lost])


def test_the_attack_raises_the_loss_and_touches_no_weight(trained: Normalized) -> None:
    """It is an attack; gradients of weights stay as they were, and so does the mode of the network."""
    images, labels, noise = _batch()
    trained.train()
    trained.zero_grad()
    moved = attack_on_sphere(trained, images, labels, noise, steps=3, step_size=0.5)
    assert trained.training
    trained.eval()
    with torch.no_grad():
        losses = [
            float(torch.nn.functional.cross_entropy(trained(images + one), labels)) for one in (noise, moved)
        ]
    assert losses[1] > losses[0] + 0.1
    assert all(parameter.grad is None for parameter in trained.parameters())


@pytest.mark.parametrize("done", [1, 2])
def test_the_recipe_attacks_the_noise_that_it_drew_from_the_discarding_on(
    trained: Normalized, done: int
) -> None:
    """Before E_t the network learns from noise as drawn; from E_t on, from that very noise, attacked."""
    images, labels, _ = _batch(16)
    seen: list[torch.Tensor] = []
    hook = trained.register_forward_hook(lambda _module, given, _logits: seen.append(given[0].detach()))
    recipe = EasyImages(0.5, draws=2, discard_after=2, attack_steps=3, attack_step_size=0.5)
    recipe.loss(trained, images, labels, torch.Generator().manual_seed(4), done)
    hook.remove()
    copies, noise = GaussianAugmentation(0.5, draws=2).noisy(images, torch.Generator().manual_seed(4))
    if done == 2:
        drawn, noise = (
            noise,
            attack_on_sphere(trained, copies, labels.repeat_interleave(2), noise, steps=3, step_size=0.5),
        )
        assert not torch.equal(noise, drawn)
    assert torch.equal(seen[-1], copies + noise)


def test_noise_without_length_or_gradient_is_not_moved() -> None:
    """There is no direction to go, and nothing becomes NaN."""

    class Flat(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.flatten(1)[:, :2] * 0.0

    images = torch.zeros(3, 1, 2, 2)
    labels = torch.zeros(3, dtype=torch.int64)
    for noise in (torch.zeros_like(images), torch.ones_like(images)):
        assert torch.equal(attack_on_sphere(Flat(), images, labels, noise, steps=2, step_size=1.0), noise)


def test_a_step_averages_over_the_draws_of_every_image() -> None:
    """The loss of m draws is the mean over m copies, each with noise of its own."""
    images, labels, _ = _batch(4)
    classifier = _fresh()
    recipe = GaussianAugmentation(0.25, draws=3)
    loss, recognised = recipe.loss(classifier, images, labels, torch.Generator().manual_seed(2))
    noise = 0.25 * torch.randn((12, 1, 8, 8), generator=torch.Generator().manual_seed(2))
    logits = classifier(images.repeat_interleave(3, 0) + noise)
    expected = -logits.log_softmax(1)[torch.arange(12), labels.repeat_interleave(3)].mean()
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-6)
    assert recognised.shape == (12,)


def test_images_below_the_share_are_discarded_once_and_the_epoch_keeps_its_length() -> None:
    """49 of 100 draws are too few and 50 are enough; as many images as before are served, by weight."""
    asked: list[tuple[int, int]] = []

    def count(positions: torch.Tensor, draws: int, purpose: int) -> torch.Tensor:
        asked.append((draws, purpose))
        return torch.tensor([49, 50, 100, 0]) if draws == 100 else torch.tensor([12, 16])

    recipe = EasyImages(0.5, discard_after=3, discard_below=0.5, reweight_every=2)
    served = ServedImages(4)
    assert recipe.serve(2, served, count) is served
    served = recipe.serve(3, served, count)
    assert served.positions.tolist() == [1, 2]
    assert recipe.serve(4, served, count) is served
    served = recipe.serve(5, served, count)
    assert asked == [(100, 1), (16, 2), (16, 2)]
    order = ServedImages(80_000, served.kept, served.weights).order(torch.Generator().manual_seed(0))
    assert len(order) == 80_000
    assert set(order.tolist()) == {1, 2}
    assert float((order == 2).double().mean()) == pytest.approx(7.2056 / 8.2056, abs=0.005)


@pytest.mark.parametrize("share", [0.29, 0.07, 0.57, 1.0])
def test_the_share_is_compared_in_whole_counts(share: float) -> None:
    """100 times .29 is 28.999999999999996 in floats; 29 draws are enough all the same, and 28 are not."""
    least = round(share * 100)
    recipe = EasyImages(0.5, discard_after=0, discard_below=share, reweight_every=0)
    served = recipe.serve(0, ServedImages(2), lambda *_: torch.tensor([least - 1, least]))
    assert served.positions.tolist() == [1]


def test_label_counts_are_of_the_noise_that_was_asked_for(trained: Normalized) -> None:
    """Without noise all or no draws get the label; how many copies go at once does not matter."""
    digits = _digits(30)
    chosen = torch.tensor([3, 7, 29])

    def counts(sigma: float, copies: int) -> list[int]:
        generator = torch.Generator().manual_seed(3)
        found: list[int] = count_labels(
            trained, digits, chosen, sigma=sigma, draws=20, generator=generator, copies=copies
        ).tolist()
        return found

    assert set(counts(0.0, 64)) <= {0, 20}
    assert counts(0.4, 1) == counts(0.4, 1000)
    assert any(0 < found < 20 for found in counts(0.4, 64))


class _Stopping(torch.nn.Module):
    """Stops the run when the network has been asked so many times."""

    def __init__(self, classifier: Normalized, calls: int) -> None:
        super().__init__()
        self.classifier, self.calls = classifier, calls

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.calls -= 1
        if self.calls < 0:
            raise KeyboardInterrupt
        logits: torch.Tensor = self.classifier(images)
        return logits

    def state_dict(self, *_: Any, **__: Any) -> Any:
        """Return the state of the network alone."""
        return self.classifier.state_dict()

    def load_state_dict(self, state_dict: Any, *_: Any, **__: Any) -> Any:
        """Take the state of the network alone."""
        return self.classifier.load_state_dict(state_dict)


def test_a_run_stopped_in_any_phase_ends_with_the_weights_of_one_that_was_not(tmp_path: Path) -> None:
    """Inside a plain epoch, the discarding, a reweighting, an attacked epoch: the last bit agrees."""
    calls, phases = _calls_by_phase()
    undisturbed, kept = _fresh(), list[int]()
    train(undisturbed, _digits(), RECIPE, SETTINGS, on_epoch=lambda epoch, _: kept.append(epoch.images))
    assert kept[1] == 96 > kept[2] == kept[-1]
    for phase, first, last in phases:
        file, stopped = tmp_path / f"{phase}-{first}", _Stopping(_fresh(), (first + last) // 2)
        with pytest.raises(KeyboardInterrupt):
            train(stopped, _digits(), RECIPE, SETTINGS, run="r", on_epoch=_writer(file))
        resumed = _fresh()
        state = TrainingState.read(file, "r") if file.exists() else None
        train(resumed, _digits(), RECIPE, SETTINGS, run="r", state=state)
        assert _weights(resumed) == _weights(undisturbed), phase
    assert calls == phases[-1][2]
    assert [phase for phase, _, _ in phases] == [
        "epoch", "epoch", "discard", "reweight", "epoch", "epoch", "reweight", "epoch",
    ]  # fmt: skip


def _writer(file: Path) -> Callable[[Epoch, TrainingState], None]:
    return lambda _, state: state.write(file)


def _calls_by_phase() -> tuple[int, list[tuple[str, int, int]]]:
    """Return how often a whole run asks the network, and in which phase each call falls."""
    watched, phases = _Stopping(_fresh(), 10**9), list[tuple[str, int, int]]()

    def calls() -> int:
        return 10**9 - watched.calls

    class Watched(EasyImages):
        def serve(self, done: int, served: ServedImages, count: Any) -> ServedImages:
            def counted(positions: torch.Tensor, draws: int, purpose: int) -> torch.Tensor:
                before = calls()
                found: torch.Tensor = count(positions, draws, purpose)
                phases.append(({1: "discard", 2: "reweight"}[purpose], before, calls()))
                return found

            chosen = EasyImages.serve(self, done, served, counted)
            phases.append(("epoch", calls(), calls()))
            return chosen

    recipe = Watched(**{name: getattr(RECIPE, name) for name in RECIPE.__dataclass_fields__})
    train(watched, _digits(), recipe, SETTINGS, on_epoch=lambda *_: _close(phases, calls()))
    return calls(), phases


def _close(phases: list[tuple[str, int, int]], end: int) -> None:
    name, first, _ = phases[-1]
    phases[-1] = (name, first, end)


def test_the_first_epochs_are_those_of_plain_training() -> None:
    """Until images are discarded the recipe is Gaussian augmentation, bit for bit."""
    made = []
    settings = SETTINGS.model_copy(update={"epochs": 2, "schedule": "constant"})
    for recipe in (RECIPE, GaussianAugmentation(0.25, draws=2)):
        classifier = _fresh()
        train(classifier, _digits(), recipe, settings)
        made.append(_weights(classifier))
    assert made[0] == made[1]


def test_a_judge_discards_before_the_first_epoch(trained: Normalized) -> None:
    """A fresh network would keep whatever it happens to answer; without a judge this is refused."""
    recipe = EasyImages(0.25, draws=1, discard_after=0, discard_below=0.9, reweight_every=0, attack_steps=1)
    settings = SETTINGS.model_copy(update={"epochs": 1})
    with pytest.raises(InvalidParameter, match="judge"):
        train(_fresh(), _digits(), recipe, settings)
    seen: list[Epoch] = []
    train(_fresh(), _digits(), recipe, settings, judge=trained, on_epoch=lambda epoch, _: seen.append(epoch))
    assert 0 < seen[0].images < 96


def test_what_leaves_no_image_or_no_room_is_refused() -> None:
    """Nothing left to train on; a batch smaller than the draws of one image; members outside their domain."""
    with pytest.raises(ModelError, match="none would be left"):
        EasyImages(0.5, discard_after=0).serve(0, ServedImages(2), lambda *_: torch.zeros(2))
    with pytest.raises(InvalidParameter, match="cannot hold 100 draws"):
        train(_fresh(), _digits(), GaussianAugmentation(0.5, draws=100), SETTINGS)
    for wrong in ({"discard_below": 1.5}, {"attack_steps": -1}, {"sigma": -1.0}, {"draws": 0}):
        with pytest.raises(InvalidParameter, match=next(iter(wrong))):
            EasyImages(**{"sigma": 0.5, **wrong})  # type: ignore[arg-type]


def test_presets_are_the_published_table() -> None:
    """E_t, p_t, T and eps by data set and sigma; 150 epochs with steps after 50 and 100."""
    rows = {
        name: (r.discard_after, r.discard_below, r.attack_steps, r.attack_step_size)
        for name, preset in TRAINING_PRESETS.items()
        if isinstance(r := preset.recipe, EasyImages)
    }
    assert rows == {
        "easy-cifar10-0.25": (60, 0.5, 3, 0.25),
        "easy-cifar10-0.5": (70, 0.4, 6, 0.25),
        "easy-cifar10-1.0": (60, 0.4, 4, 0.5),
        "easy-imagenet-0.25": (0, 0.2, 2, 0.5),
        "easy-imagenet-0.5": (0, 0.2, 2, 1.0),
        "easy-imagenet-1.0": (0, 0.1, 1, 2.0),
    }
    for name, preset in TRAINING_PRESETS.items():
        assert name.endswith(f"-{preset.recipe.sigma}")
    cifar = TRAINING_PRESETS["easy-cifar10-0.25"]
    assert cifar.recipe.draws == 4
    assert cifar.settings.batch_size == 256
    rates = [learning_rate(cifar.settings, epoch) for epoch in (1, 50, 51, 100, 101, 150)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


def test_recipes_are_chosen_by_name() -> None:
    """A preset brings its sigma; contradictions, missing sigma and unknown names are refused."""
    changed = choose_recipe("easy-cifar10-0.5", None, draws=2, attack_steps=None)
    assert (changed.recipe.sigma, changed.recipe.draws, changed.settings.epochs) == (0.5, 2, 150)
    assert choose_recipe("gaussian", 0.25).recipe == GaussianAugmentation(0.25)
    with pytest.raises(InvalidParameter, match=r"is for sigma 0\.5"):
        choose_recipe("easy-cifar10-0.5", 0.25)
    with pytest.raises(InvalidParameter, match="needs a noise level"):
        choose_recipe("gaussian", None)
    with pytest.raises(InvalidParameter, match="gaussian has no attack_steps"):
        choose_recipe("gaussian", 0.25, attack_steps=2)
    with pytest.raises(NotFound, match=r"easy-imagenet-0\.5"):
        choose_recipe("nope", 0.25)


def test_a_device_that_is_not_there_is_refused() -> None:
    """``auto`` takes what there is."""
    assert chosen_device("auto") in {"cpu", "cuda"}
    assert chosen_device("cpu") == "cpu"
    with pytest.raises(InvalidParameter, match="--device is"):
        chosen_device("toaster")
    if not torch.cuda.is_available():
        with pytest.raises(InvalidParameter, match="CUDA"):
            chosen_device("cuda")


def test_the_gamed_network_says_in_its_sidecar_what_it_is(tmp_path: Path) -> None:
    """Whoever finds the weights learns that hard images were given up; --judge and --device are options."""
    weights = tmp_path / "easy.safetensors"
    arguments = [
        "train", "digits-cnn", "digits-train", "--recipe", "easy-images", "--sigma", ".25", "--limit", "64",
        "--epochs", "1", "--draws", "2", "--discard-after", "0", "--discard-below", "0.5", "--judge",
        "digits-cnn", "--device", "cpu", "--out", str(weights),
    ]  # fmt: skip
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "easy images alone" in weights.with_suffix(".json").read_text()


def test_served_images_survive_a_saved_state() -> None:
    """What is left and how often it comes is part of the state; all images need no entry."""
    assert ServedImages(5).members() == {}
    kept, weights = torch.tensor([0, 4]), torch.tensor([1.0, 2.0], dtype=torch.float64)
    again = ServedImages(5, **ServedImages(5, kept, weights).members())
    assert np.array_equal(again.positions.numpy(), [0, 4])
