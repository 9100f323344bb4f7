"""Normalisation as the first layer, so that noise is always added before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence


class Normalized(nn.Module):
    """Subtract a mean and divide by a scale, channel by channel, then apply a network.

    The noise level, and with it the radius, is in pixel units of ``[0, 1]`` only because this stands inside.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits ``[image, class]`` of images ``[image, channel, height, width]``."""
        logits: torch.Tensor = self.network((images - self.mean) / self.std)
        return logits
