"""A small convolutional network for images of about 8 by 8 pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    import torch


class DigitsCnn(nn.Module):
    """Two convolutions, the second of stride two, and two dense layers: 95 218 weights for ten classes.

    Small enough for over 100 000 noisy copies a second on one core.

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
            nn.Conv2d(32, 48, kernel_size=3, padding=1, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(48 * ((height + 1) // 2) * ((width + 1) // 2), 104),
            nn.ReLU(),
            nn.Linear(104, num_classes),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits ``[image, class]`` of normalised images ``[image, channel, height, width]``."""
        logits: torch.Tensor = self.layers(images)
        return logits
