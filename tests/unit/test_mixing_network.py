"""The mixing network and the transform of logits: trained and chosen on digits, small and seeded."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn
from torch.nn import functional

from certd.datasets import load_dataset
from certd.errors import CannotCertify, InvalidParameter, ModelError
from certd.models import BaseClassifier, Mixing, Transform, draft_mixture, load_model, mix, register_model
from certd.models.logit_transform import transformed
from certd.models.mixing_network import MixingNetwork
from certd.models.mixture import Mixture
from certd.training import MixingTraining, choose_transform, train_mixing_network, write_mixing_network
from certd.training.logit_grid import margins
from certd.training.mixing import attack, mixing_loss

if TYPE_CHECKING:
    from pathlib import Path

TRAINING = MixingTraining(epochs=6, batch_size=64, attack_radius=0.15, attack_steps=4, seed=2)


@cache
def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Return 320 digits as floats, with labels."""
    found = load_dataset("digits").select(limit=320)
    assert found.labels is not None
    return torch.from_numpy(found.images).float() / 255, torch.from_numpy(found.labels)


@cache
def standard() -> BaseClassifier:
    """Return a linear classifier trained without protection on the same digits."""
    images, labels = digits()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(network.parameters(), 0.05)
    for _ in range(60):
        optimizer.zero_grad()
        functional.cross_entropy(network(images), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return BaseClassifier.from_module(network, "linear", (1, 8, 8), 10)


@cache
def mixing() -> Mixing:
    """Return the range that is trained."""
    return Mixing(
        product="smooth-then-mix", standard=standard().reference, robust=load_model("digits-cnn").reference,
        weight=0.6, highest_weight=0.98, network="0" * 64, num_classes=10,
    )  # fmt: skip


@cache
def trained() -> MixingNetwork:
    """Return the network after a second of training."""
    return train_mixing_network(standard(), load_model("digits-cnn"), mixing(), *digits(), TRAINING)


def test_training_teaches_to_trust_the_robust_classifier_under_attack() -> None:
    """The weight rises from clean to attacked images, and stays in its range."""
    images, labels = digits()
    mixture = Mixture(standard().module, load_model("digits-cnn").module, mixing(), trained())
    with torch.random.fork_rng():
        torch.manual_seed(5)
        attacked = attack(mixture, images, labels, TRAINING.attack_radius, TRAINING.attack_steps)
    assert float((attacked - images).abs().max()) <= TRAINING.attack_radius + 1e-6
    clean, hurt = (mixture.mixed_and_weight(each)[1] for each in (images, attacked))
    assert float(torch.minimum(clean, hurt).min()) >= 0.6 - 1e-6
    assert float(torch.maximum(clean, hurt).max()) <= 0.98 + 1e-6
    assert float(hurt.mean()) > float(clean.mean()) + 0.05


def test_the_same_seed_trains_the_same_network() -> None:
    """Bit for bit, without touching the caller's random numbers or the classifiers."""
    before, weights = torch.get_rng_state(), standard().module.state_dict()["1.weight"].clone()
    again = train_mixing_network(standard(), load_model("digits-cnn"), mixing(), *digits(), TRAINING)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(standard().module.state_dict()["1.weight"], weights)
    assert write_mixing_network(again) == write_mixing_network(trained())


def test_the_gradients_of_the_network_are_those_that_differences_say() -> None:
    """Every parameter of the network has one; through the batch normalisation too."""
    images, labels = digits()
    network = MixingNetwork(10, 0.6, 0.98).double()
    robust, linear = (each.module for each in (load_model("digits-cnn"), standard()))
    g, h = (each(images[:8]).double().log_softmax(1) for each in (linear, robust))
    modes = torch.tensor([0.0, 1.0] * 4).double()

    def loss() -> torch.Tensor:
        weight = network(g, h)
        mixed = torch.logaddexp(torch.log1p(-weight)[:, None] + g, weight.log()[:, None] + h)
        return mixing_loss(mixed, (weight - 0.6) / 0.38, labels[:8], modes, TRAINING)

    loss().backward()  # type: ignore[no-untyped-call]
    for parameter in network.parameters():
        assert parameter.grad is not None
        at = int(parameter.grad.abs().argmax())
        with torch.no_grad():
            values = []
            for step in (1e-6, -2e-6):
                parameter.view(-1)[at] += step
                values.append(float(loss()))
            parameter.view(-1)[at] += 1e-6
        slope = float(parameter.grad.view(-1)[at])
        assert (values[0] - values[1]) / 2e-6 == pytest.approx(slope, rel=1e-4, abs=1e-8)
    assert float(max(each.grad.abs().max() for each in network.parameters() if each.grad is not None)) > 1e-3


def test_a_wrong_choice_costs_most_where_it_costs_the_answer() -> None:
    """The product term adds to both others."""
    mixed = torch.tensor([[0.9, 0.1], [0.2, 0.8]]).log()
    share, labels, attacked = torch.tensor([0.1, 0.3]), torch.tensor([0, 0]), torch.tensor([0.0, 1.0])
    parts = [
        float(mixing_loss(mixed, share, labels, attacked, MixingTraining(answer=a, mode=b, product=c)))
        for a, b, c in ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    ]
    answers = torch.tensor([0.9, 0.2]).log().neg()
    modes = torch.tensor([0.9, 0.3]).log().neg()
    expected = (answers.mean(), modes.mean(), (answers * modes).mean())
    assert parts == pytest.approx([float(each) for each in expected])


def test_a_trained_network_is_registered_and_loaded(tmp_path: Path) -> None:
    """Its digest is checked; the weight on an image is what training saw."""
    registry = tmp_path / "models.yaml"
    (tmp_path / "network.safetensors").write_bytes(write_mixing_network(trained()))
    entry = draft_mixture(
        "adaptive", "digits-cnn", "digits-cnn", 0.6, network="network.safetensors", highest_weight=0.98,
        registry=registry,
    )  # fmt: skip
    register_model(registry, entry)
    loaded = load_model("adaptive", registry=registry)
    direct = mix("adaptive", load_model("digits-cnn"), load_model("digits-cnn"), entry.mixture, trained())
    pixels = load_dataset("digits").select(limit=3).images
    assert loaded.standard is not None
    assert direct.standard is not None
    assert loaded.standard.observe(pixels, "cpu") == direct.standard.observe(pixels, "cpu")
    with pytest.raises(ModelError, match="not the weights"):
        MixingNetwork.of({"layer": torch.zeros(1)}, 10, 0.6, 0.98)
    with pytest.raises(InvalidParameter, match="go together"):
        draft_mixture("half", "digits-cnn", "digits-cnn", 0.6, highest_weight=0.9, registry=registry)


def test_without_a_range_there_is_nothing_to_train() -> None:
    """A constant weight needs no network."""
    constant = mixing().model_copy(update={"highest_weight": None, "network": None})
    with pytest.raises(InvalidParameter, match="needs a range"):
        train_mixing_network(standard(), load_model("digits-cnn"), constant, *digits())


def _calibration() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return logits of the digits model on hard noisy digits and, as the attacked ones, on noisier ones."""
    images, labels = digits()
    generator = torch.Generator().manual_seed(1)
    robust = load_model("digits-cnn").module
    near, far = (robust(images + s * torch.randn(images.shape, generator=generator)) for s in (0.5, 0.6))
    return near, far, labels


def test_the_chosen_transform_overrules_less_and_keeps_the_share() -> None:
    """No point of the grid leaves more of the robust model's errors to be mended at that share."""
    clean, attacked, labels = _calibration()
    chosen = choose_transform(clean, attacked, labels, 0.95)
    mild = choose_transform(clean, attacked, labels, 0.95, scales=(1.0,), powers=(1.0,), shifts=(1.0,))
    assert chosen.overruling < mild.overruling
    held = margins(transformed(attacked, chosen.transform), labels)
    kept = held[held > 0]
    assert float((kept > (1 - chosen.weight) / chosen.weight).double().mean()) >= 0.95


def test_a_transform_is_part_of_the_mixture() -> None:
    """It changes the digest and the mixed probabilities, and excludes a second scale."""
    transform = Transform(scale=4, power=2)
    plain = Mixing.model_validate({**mixing().model_dump(), "highest_weight": None, "network": None})
    changed = plain.model_copy(update={"robust_transform": transform, "product": "mix-then-smooth"})
    images, _ = digits()
    made = mix("m", standard(), load_model("digits-cnn"), changed)
    g = standard().module(images[:4]).softmax(1)
    h = transformed(load_model("digits-cnn").module(images[:4]), transform).softmax(1)
    assert torch.allclose(made.module(images[:4]).exp(), 0.4 * g + 0.6 * h, atol=1e-6)
    assert changed.digest != plain.digest
    with pytest.raises(ValueError, match="its own scale"):
        Mixing.model_validate({**changed.model_dump(), "robust_scale": 2.0})


def test_a_classifier_that_is_never_right_has_no_transform() -> None:
    """There is no margin to keep."""
    labels = torch.zeros(4, dtype=torch.int64)
    logits = torch.tensor([[0.0, 3.0, 1.0]]).repeat(4, 1)
    with pytest.raises(CannotCertify, match="ask for a smaller share"):
        choose_transform(logits, logits, labels, 0.9)
