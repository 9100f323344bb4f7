"""Networks that can be rebuilt by name, one family a file."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from certd.models.architectures.cifar_resnet import DEPTHS, CifarResNet
from certd.models.architectures.convex_small import ConvexSmall
from certd.models.architectures.digits_cnn import DigitsCnn
from certd.models.architectures.lenet import LeNet
from certd.models.architectures.projection_resnet import ProjectionResNet, ResNet50
from certd.models.architectures.wide_resnet import WideResNet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import nn

__all__ = [
    "ARCHITECTURES",
    "CifarResNet",
    "ConvexSmall",
    "DigitsCnn",
    "LeNet",
    "ProjectionResNet",
    "ResNet50",
    "WideResNet",
]

ARCHITECTURES: Mapping[str, Callable[[tuple[int, int, int], int], nn.Module]] = MappingProxyType(
    {
        "convex-small": ConvexSmall,
        "digits-cnn": DigitsCnn,
        "lenet": LeNet,
        "resnet50": ResNet50,
        "wide-resnet28-10": WideResNet,
    }
    | {f"cifar-resnet{depth}": partial(CifarResNet, depth=depth) for depth in DEPTHS}
    | {f"cifar-resnet{depth}-projection": partial(ProjectionResNet, depth=depth) for depth in DEPTHS}
)
"""Each builds a network, without weights, for an input shape and a number of classes."""
