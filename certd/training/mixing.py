"""Train the network that chooses a mixture's weight for each image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import safetensors.torch
import torch
from torch.nn import functional

from certd.errors import InvalidParameter
from certd.models.mixing_network import MixingNetwork
from certd.models.mixture import Mixture

if TYPE_CHECKING:
    from certd.models import BaseClassifier, Mixing

INSIDE = 1e-6


@dataclass(frozen=True, slots=True)
class MixingTraining:
    """How a mixing network is trained.

    Attributes:
        epochs: Passes over the images.
        batch_size: Clean images a step; as many attacked ones are beside them.
        learning_rate: Of Adam.
        attack_radius: linf radius of the attack, pixels in [0, 1].
        attack_steps: Steps of it.
        seed: Of the first weights, the order of images and the attack's start.
        answer: Share of the cross-entropy of the mixture's answer in the loss.
        mode: Share of the binary cross-entropy of the choice: 0 for a clean image, 1 for an attacked one.
        product: Share of the product of both, which counts a wrong choice most where it costs the answer.
    """

    epochs: int = 5
    batch_size: int = 128
    learning_rate: float = 0.01
    attack_radius: float = 8 / 255
    attack_steps: int = 5
    seed: int = 0
    answer: float = 0.5
    mode: float = 0.5
    product: float = 0.25


def mixing_loss(
    mixed: torch.Tensor,
    share: torch.Tensor,
    labels: torch.Tensor,
    attacked: torch.Tensor,
    training: MixingTraining,
) -> torch.Tensor:
    """Return the composite loss of the paper, averaged over images.

    Args:
        mixed: Logarithms of the mixture's probabilities, float[image, class].
        share: Where in its range the weight is, float[image] in [0, 1].
        labels: True classes, int64[image].
        attacked: 1 for an attacked image, 0 for a clean one, float[image].
        training: Its shares.

    References:
        Bai, Anderson, Kim and Sojoudi (2023), arXiv:2301.12554, section on training the mixing network.
    """
    answer = functional.nll_loss(mixed, labels, reduction="none")
    mode = functional.binary_cross_entropy(share.clamp(INSIDE, 1 - INSIDE), attacked, reduction="none")
    loss = training.answer * answer + training.mode * mode + training.product * answer * mode
    return loss.mean()


def train_mixing_network(  # noqa: PLR0913, PLR0917 - two classifiers, images, and how
    standard: BaseClassifier,
    robust: BaseClassifier,
    mixing: Mixing,
    images: torch.Tensor,
    labels: torch.Tensor,
    training: MixingTraining | None = None,
) -> MixingNetwork:
    """Return a mixing network trained on clean images and on attacks against the mixture itself.

    Both classifiers stay as they are. Clean and attacked images share each batch, so that the batch
    normalisation sees both; it keeps its running statistics while an attack is made. The same arguments
    give the same network on one machine.

    Args:
        standard: g.
        robust: h.
        mixing: Their scales, and the range from ``weight`` to ``highest_weight``.
        images: float32[image, channel, height, width], pixels in [0, 1].
        labels: True classes, int64[image].
        training: How.

    Returns:
        The network, in eval mode. It changes no certificate of smooth-then-mix: those rest on the range.

    Raises:
        InvalidParameter: If ``mixing`` has no range, or there are fewer than two images.
    """
    training = training or MixingTraining()
    if mixing.highest_weight is None or len(images) < 2:
        raise InvalidParameter("A mixing network needs a range, weight to highest_weight, and images.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        network = MixingNetwork(mixing.num_classes, mixing.weight, mixing.highest_weight)
        mixture = Mixture(standard.module, robust.module, mixing, network)
        optimizer = torch.optim.Adam(network.parameters(), training.learning_rate)
        for _ in range(training.epochs):
            for part in torch.split(torch.randperm(len(images)), training.batch_size):
                _step(mixture, network, images[part], labels[part], optimizer, training)
    return network.eval().requires_grad_(requires_grad=False)


def write_mixing_network(network: MixingNetwork) -> bytes:
    """Return the network's weights as safetensors, to be registered beside the two models."""
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    return safetensors.torch.save(state)


def attack(
    mixture: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, radius: float, steps: int
) -> torch.Tensor:
    """Return images within an linf radius on which the mixture does worse, by projected gradient ascent."""
    found = (images + torch.empty_like(images).uniform_(-radius, radius)).clamp(0, 1)
    for _ in range(steps):
        start = found.detach().requires_grad_()
        loss = functional.nll_loss(mixture(start), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, start)
        moved = found + 2.5 * radius / steps * gradient.sign()
        found = torch.minimum(torch.maximum(moved, images - radius), images + radius).clamp(0, 1)
    return found.detach()


def _step(  # noqa: PLR0913, PLR0917 - what is trained, on what, and how
    mixture: Mixture,
    network: MixingNetwork,
    images: torch.Tensor,
    labels: torch.Tensor,
    optimizer: torch.optim.Optimizer,
    training: MixingTraining,
) -> None:
    network.eval()
    attacked = attack(mixture, images, labels, training.attack_radius, training.attack_steps)
    network.train()
    both, truth = torch.cat([images, attacked]), torch.cat([labels, labels])
    mode = torch.cat([torch.zeros(len(images)), torch.ones(len(images))])
    mixed, weight = mixture.mixed_and_weight(both)
    width = max(network.high - network.low, INSIDE)
    loss = mixing_loss(mixed, (weight - network.low) / width, truth, mode, training)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
