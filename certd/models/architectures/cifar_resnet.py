"""Residual networks for CIFAR whose shortcuts hold no weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.nn.functional import pad

if TYPE_CHECKING:
    import torch

DEPTHS = (20, 32, 44, 56, 110)
WIDTHS = (16, 32, 64)


class CifarResNet(nn.Module):
    """Three stages of basic blocks; a shortcut that widens subsamples and pads with zeros (option A).

    State is named as in the weights that most repositories publish for these networks: ``layer1.0.conv1``,
    and ``linear`` for the last layer. The variant with projections is another function of the same name in
    other repositories: :class:`certd.models.architectures.projection_resnet.ProjectionResNet`.

    Args:
        input_shape: Channel, height and width.
        num_classes: Number of logits.
        depth: Layers with weights, ``6 k + 2``.

    References:
        He, Zhang, Ren and Sun (2016), arXiv:1512.03385, section 4.2.
    """

    def __init__(self, input_shape: tuple[int, int, int], num_classes: int, depth: int = 20) -> None:
        super().__init__()
        blocks = (depth - 2) // 6
        self.conv1 = nn.Conv2d(input_shape[0], WIDTHS[0], kernel_size=3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.layer1 = _stage(WIDTHS[0], WIDTHS[0], blocks)
        self.layer2 = _stage(WIDTHS[0], WIDTHS[1], blocks)
        self.layer3 = _stage(WIDTHS[1], WIDTHS[2], blocks)
        self.linear = nn.Linear(WIDTHS[2], num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits ``[image, class]`` of normalised images ``[image, channel, height, width]``."""
        features = self.bn1(self.conv1(images)).relu()
        features = self.layer3(self.layer2(self.layer1(features)))
        logits: torch.Tensor = self.linear(features.mean((2, 3)))
        return logits


class PaddedBlock(nn.Module):
    """Two convolutions beside a shortcut; the stride is two where the block widens."""

    def __init__(self, in_width: int, width: int) -> None:
        super().__init__()
        self.stride = 1 if in_width == width else 2
        self.extra = width - in_width
        self.conv1 = nn.Conv2d(in_width, width, kernel_size=3, stride=self.stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the block's output ``[image, width, height / stride, width / stride]``."""
        residual: torch.Tensor = self.bn2(self.conv2(self.bn1(self.conv1(features)).relu()))
        return (residual + self._shortcut(features)).relu()

    def _shortcut(self, features: torch.Tensor) -> torch.Tensor:
        if self.extra == 0:
            return features
        below = self.extra // 2
        return pad(features[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, below, self.extra - below))


def _stage(in_width: int, width: int, blocks: int) -> nn.Sequential:
    first = PaddedBlock(in_width, width)
    return nn.Sequential(first, *(PaddedBlock(width, width) for _ in range(blocks - 1)))
