"""A small convolutional network for images of about 8 by 8 pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    import torch


class DigitsCnn(nn.Module):
    """Three convolutions, one pooling and two dense layers: 97 154 weights for ten classes of 1 by 8 by 8.

    Args:
        input_shape: Channel, height and width; height and width at least 2.
        num_classes: Number of logits.
    """

    def __init__(self, input_shape: tuple[int, int, int], num_classes: int) -> None:
        super().__init__()
        channels, height, width = input_shape
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 32, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(64, 64, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64 * (height // 2) * (width // 2), 40),
            nn.ReLU(),
            nn.Linear(40, num_classes),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits ``[image, class]`` of normalised images ``[image, channel, height, width]``."""
        logits: torch.Tensor = self.layers(images)
        return logits
