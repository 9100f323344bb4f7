"""Wide residual networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    import torch


class WideResNet(nn.Module):
    """Three stages of pre-activation blocks, ``widen`` times as wide as a CIFAR ResNet; 28-10 by default.

    State is named as in the checkpoints of the adversarial-training literature: ``block1.layer.0.conv1``,
    ``convShortcut`` and ``fc``.

    Args:
        input_shape: Channel, height and width.
        num_classes: Number of logits.
        depth: Layers with weights, ``6 k + 4``.
        widen: Factor of the widths 16, 32 and 64.

    References:
        Zagoruyko and Komodakis (2016), arXiv:1605.07146, table 1.
    """

    def __init__(
        self, input_shape: tuple[int, int, int], num_classes: int, depth: int = 28, widen: int = 10
    ) -> None:
        super().__init__()
        blocks = (depth - 4) // 6
        widths = (16 * widen, 32 * widen, 64 * widen)
        self.conv1 = nn.Conv2d(input_shape[0], 16, kernel_size=3, padding=1, bias=False)
        self.block1 = WideStage(16, widths[0], blocks, stride=1)
        self.block2 = WideStage(widths[0], widths[1], blocks, stride=2)
        self.block3 = WideStage(widths[1], widths[2], blocks, stride=2)
        self.bn1 = nn.BatchNorm2d(widths[2])
        self.fc = nn.Linear(widths[2], num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits ``[image, class]`` of normalised images ``[image, channel, height, width]``."""
        features = self.block3(self.block2(self.block1(self.conv1(images))))
        logits: torch.Tensor = self.fc(self.bn1(features).relu().mean((2, 3)))
        return logits


class WideStage(nn.Module):
    """Blocks of one width, the first of which may stride."""

    def __init__(self, in_width: int, width: int, blocks: int, stride: int) -> None:
        super().__init__()
        first = PreactivationBlock(in_width, width, stride)
        self.layer = nn.Sequential(first, *(PreactivationBlock(width, width, 1) for _ in range(blocks - 1)))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the stage's output."""
        output: torch.Tensor = self.layer(features)
        return output


class PreactivationBlock(nn.Module):
    """Normalise, rectify, convolve, twice; a projection takes the rectified input where the width changes."""

    def __init__(self, in_width: int, width: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_width)
        self.conv1 = nn.Conv2d(in_width, width, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False)
        self.convShortcut = (
            None
            if in_width == width
            else nn.Conv2d(in_width, width, kernel_size=1, stride=stride, bias=False)
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the block's output."""
        active = self.bn1(features).relu()
        residual: torch.Tensor = self.conv2(self.bn2(self.conv1(active)).relu())
        return residual + (features if self.convShortcut is None else self.convShortcut(active))
