"""Residual networks whose widening shortcuts are projections with weights of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    import torch

BOTTLENECK_EXPANSION = 4


class ProjectionResNet(nn.Module):
    """Three stages of basic blocks for CIFAR, with projection shortcuts (option B).

    This is the ``cifar_resnet20`` and ``cifar_resnet110`` of the published randomized-smoothing checkpoints;
    their last layer is called ``fc`` and their projections ``downsample``.

    Args:
        input_shape: Channel, height and width.
        num_classes: Number of logits.
        depth: Layers with weights, ``6 k + 2``.

    References:
        He, Zhang, Ren and Sun (2016), arXiv:1512.03385, section 4.2; Cohen, Rosenfeld and Kolter (2019),
        arXiv:1902.02918, section 4, for its use under noise.
    """

    def __init__(self, input_shape: tuple[int, int, int], num_classes: int, depth: int = 110) -> None:
        super().__init__()
        blocks = (depth - 2) // 6
        self.conv1 = _conv(input_shape[0], 16, size=3)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*_basic_blocks(16, 16, blocks, stride=1))
        self.layer2 = nn.Sequential(*_basic_blocks(16, 32, blocks, stride=2))
        self.layer3 = nn.Sequential(*_basic_blocks(32, 64, blocks, stride=2))
        self.fc = nn.Linear(64, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits ``[image, class]`` of normalised images ``[image, channel, height, width]``."""
        features = self.bn1(self.conv1(images)).relu()
        features = self.layer3(self.layer2(self.layer1(features)))
        logits: torch.Tensor = self.fc(features.mean((2, 3)))
        return logits


class ResNet50(nn.Module):
    """The ImageNet network of 50 layers, the stride in the 3 x 3 convolutions; 25 557 032 weights.

    State is named as in torchvision, so that its files and Cohen's fit.

    Args:
        input_shape: Channel, height and width.
        num_classes: Number of logits.

    References:
        He, Zhang, Ren and Sun (2016), arXiv:1512.03385, table 1, with the stride moved as in Goyal et al.
        (2017), arXiv:1706.02677, section 5.1.
    """

    def __init__(self, input_shape: tuple[int, int, int], num_classes: int) -> None:
        super().__init__()
        self.conv1 = _conv(input_shape[0], 64, size=7, stride=2)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = nn.Sequential(*_bottlenecks(64, 64, 3, stride=1))
        self.layer2 = nn.Sequential(*_bottlenecks(256, 128, 4, stride=2))
        self.layer3 = nn.Sequential(*_bottlenecks(512, 256, 6, stride=2))
        self.layer4 = nn.Sequential(*_bottlenecks(1024, 512, 3, stride=2))
        self.fc = nn.Linear(2048, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits ``[image, class]`` of normalised images ``[image, channel, height, width]``."""
        features = self.maxpool(self.bn1(self.conv1(images)).relu())
        features = self.layer4(self.layer3(self.layer2(self.layer1(features))))
        logits: torch.Tensor = self.fc(features.mean((2, 3)))
        return logits


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut."""

    def __init__(self, in_width: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(in_width, width, size=3, stride=stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv(width, width, size=3)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _projection(in_width, width, stride)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the block's output."""
        residual: torch.Tensor = self.bn2(self.conv2(self.bn1(self.conv1(features)).relu()))
        shortcut: torch.Tensor = self.downsample(features)
        return (residual + shortcut).relu()


class Bottleneck(nn.Module):
    """A 3 x 3 convolution between two of 1 x 1, beside a shortcut."""

    def __init__(self, in_width: int, width: int, stride: int) -> None:
        super().__init__()
        out_width = BOTTLENECK_EXPANSION * width
        self.conv1 = _conv(in_width, width, size=1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv(width, width, size=3, stride=stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = _conv(width, out_width, size=1)
        self.bn3 = nn.BatchNorm2d(out_width)
        self.downsample = _projection(in_width, out_width, stride)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the block's output."""
        inner = self.bn2(self.conv2(self.bn1(self.conv1(features)).relu())).relu()
        residual: torch.Tensor = self.bn3(self.conv3(inner))
        shortcut: torch.Tensor = self.downsample(features)
        return (residual + shortcut).relu()


def _basic_blocks(in_width: int, width: int, count: int, stride: int) -> list[nn.Module]:
    return [BasicBlock(in_width, width, stride), *(BasicBlock(width, width, 1) for _ in range(count - 1))]


def _bottlenecks(in_width: int, width: int, count: int, stride: int) -> list[nn.Module]:
    out_width = BOTTLENECK_EXPANSION * width
    return [Bottleneck(in_width, width, stride), *(Bottleneck(out_width, width, 1) for _ in range(count - 1))]


def _projection(in_width: int, out_width: int, stride: int) -> nn.Module:
    if stride == 1 and in_width == out_width:
        return nn.Identity()
    return nn.Sequential(_conv(in_width, out_width, size=1, stride=stride), nn.BatchNorm2d(out_width))


def _conv(in_width: int, out_width: int, size: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_width, out_width, size, stride, padding=size // 2, bias=False)
