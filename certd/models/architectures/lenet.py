"""LeNet, as the certification literature uses it for MNIST."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.nn.functional import max_pool2d

if TYPE_CHECKING:
    import torch


class LeNet(nn.Module):
    """Two 5 x 5 convolutions of 20 and 50 channels, each pooled, and two dense layers.

    Args:
        input_shape: Channel, height and width; height and width at least 16.
        num_classes: Number of logits.

    References:
        LeCun, Bottou, Bengio and Haffner (1998), section II.B; these widths are those of Jeong and Shin
        (2020), arXiv:2006.04062, appendix B.
    """

    def __init__(self, input_shape: tuple[int, int, int], num_classes: int) -> None:
        super().__init__()
        channels, height, width = input_shape
        self.conv1 = nn.Conv2d(channels, 20, kernel_size=5)
        self.conv2 = nn.Conv2d(20, 50, kernel_size=5)
        self.fc1 = nn.Linear(50 * _pooled_twice(height) * _pooled_twice(width), 500)
        self.fc2 = nn.Linear(500, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits ``[image, class]`` of normalised images ``[image, channel, height, width]``."""
        features = max_pool2d(self.conv1(images).relu(), 2)
        features = max_pool2d(self.conv2(features).relu(), 2)
        logits: torch.Tensor = self.fc2(self.fc1(features.flatten(1)).relu())
        return logits


def _pooled_twice(side: int) -> int:
    return ((side - 4) // 2 - 4) // 2
