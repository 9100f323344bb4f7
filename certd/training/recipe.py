"""Recipes: what a step of training makes of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch.nn.functional import cross_entropy

from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from torch import Tensor, nn


class Recipe(Protocol):
    """Turns a batch into a loss."""

    @property
    def sigma(self) -> float:
        """Return the noise level that the network is trained for, in input units."""

    def loss(
        self, classifier: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return the mean loss of a batch, and the logits that it came from.

        Args:
            classifier: Maps pixels in [0, 1], noise included, to logits ``[image, class]``.
            images: Clean pixels in [0, 1], float32[image, channel, height, width].
            labels: int64[image].
            generator: The only source of randomness.
        """


@dataclass(frozen=True, slots=True)
class GaussianAugmentation:
    """Cross-entropy on images under Gaussian noise, one draw an image.

    Training needs no sound noise: it proves nothing, so floats serve.

    Attributes:
        sigma: Noise level, in input units; 0 trains without noise.

    References:
        Cohen, Rosenfeld and Kolter (2019), arXiv:1902.02918, section 3.3; Lecuyer et al. (2019).
    """

    sigma: float

    def __post_init__(self) -> None:
        if not 0 <= self.sigma <= 100:
            raise InvalidParameter(f"sigma lies in [0, 100], not at {self.sigma}.", pointer="/sigma")

    def loss(
        self, classifier: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return the mean cross-entropy under one draw of noise an image, and the logits."""
        noise = torch.randn(images.shape, generator=generator)
        logits = classifier(images + self.sigma * noise)
        return cross_entropy(logits, labels), logits
