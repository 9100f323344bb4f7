"""Recipes: which images an epoch serves, and what a step makes of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch.nn.functional import cross_entropy

from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from certd.training.served import ServedImages

    CountLabels = Callable[[Tensor, int, int], Tensor]
    """Of image positions, a number of draws and a purpose that seeds them: draws that gave the label."""


class Recipe(Protocol):
    """Decides what is served, and turns a batch into a loss."""

    @property
    def sigma(self) -> float:
        """Return the noise level that the network is trained for, in input units."""

    @property
    def draws(self) -> int:
        """Return the noise draws of an image in one step, at least 1."""

    def serve(self, done: int, served: ServedImages, count: CountLabels) -> ServedImages:
        """Return what the next epoch serves.

        Args:
            done: Epochs that are finished.
            served: What the last one served.
            count: Counts, with the network as it stands, the draws that give the label of each image.
        """

    def loss(
        self,
        classifier: nn.Module,
        images: Tensor,
        labels: Tensor,
        generator: torch.Generator,
        done: int = 0,
    ) -> tuple[Tensor, Tensor]:
        """Return the mean loss of a batch, and whether each noisy copy was recognised, bool[copy].

        Args:
            classifier: Maps pixels in [0, 1], noise included, to logits ``[image, class]``.
            images: Clean pixels in [0, 1], float32[image, channel, height, width].
            labels: int64[image].
            generator: The only source of noise, on the device of the images.
            done: Epochs that are finished.
        """


@dataclass(frozen=True, slots=True)
class GaussianAugmentation:
    """Mean cross-entropy on images under Gaussian noise.

    Training needs no sound noise: it proves nothing, so floats serve.

    Attributes:
        sigma: Noise level, in input units; 0 trains without noise.
        draws: Noise draws m of an image in one step.

    References:
        Cohen, Rosenfeld and Kolter (2019), arXiv:1902.02918, section 3.3; Lecuyer et al. (2019).
    """

    sigma: float
    draws: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.sigma <= 100:
            raise InvalidParameter(f"sigma lies in [0, 100], not at {self.sigma}.", pointer="/sigma")
        if not 1 <= self.draws <= 1000:
            raise InvalidParameter(f"draws lies in [1, 1000], not at {self.draws}.", pointer="/draws")

    def serve(self, done: int, served: ServedImages, count: CountLabels) -> ServedImages:  # noqa: ARG002
        """Return what was served before: every image, once an epoch."""
        return served

    def loss(
        self,
        classifier: nn.Module,
        images: Tensor,
        labels: Tensor,
        generator: torch.Generator,
        done: int = 0,  # noqa: ARG002 - every epoch is alike
    ) -> tuple[Tensor, Tensor]:
        """Return the mean cross-entropy over the draws of every image, and which copies were recognised."""
        copies, noise = self.noisy(images, generator)
        return noisy_loss(classifier, copies, labels.repeat_interleave(self.draws), noise)

    def noisy(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return every image ``draws`` times in a row, and the noise of each copy, input units."""
        copies = images.repeat_interleave(self.draws, dim=0)
        standard = torch.randn(copies.shape, generator=generator, device=copies.device)
        return copies, self.sigma * standard


def noisy_loss(classifier: nn.Module, copies: Tensor, labels: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean cross-entropy of copies under noise, and which of them were recognised."""
    logits = classifier(copies + noise)
    return cross_entropy(logits, labels), logits.detach().argmax(1) == labels
