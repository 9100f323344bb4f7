"""What the literature's data sets imply for a model: normalisation, image shape, number of classes."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from certd.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Preset:
    """A convention. Checkpoints do not say which one they were trained under; :func:`inspect_model` helps.

    Attributes:
        mean: Subtracted from each channel, for pixels in ``[0, 1]``.
        std: Divides each channel after that.
        input_shape: Channel, height and width.
        num_classes: Number of classes.
        origin: Whose convention it is.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    input_shape: tuple[int, int, int]
    num_classes: int
    origin: str


_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CIFAR_MEAN = (0.4914, 0.4822, 0.4465)
_CIFAR_SHAPE = (3, 32, 32)

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "cifar10": Preset(
            _CIFAR_MEAN, (0.2023, 0.1994, 0.2010), _CIFAR_SHAPE, 10, "Cohen, Rosenfeld and Kolter (2019)"
        ),
        "cifar10-pixel-std": Preset(
            _CIFAR_MEAN, (0.2470, 0.2435, 0.2616), _CIFAR_SHAPE, 10, "the moments of the training pixels"
        ),
        "cifar10-imagenet-std": Preset(
            _IMAGENET_MEAN, _IMAGENET_STD, _CIFAR_SHAPE, 10, "ImageNet's moments, used on CIFAR-10"
        ),
        "cifar10-raw": Preset((0.0,) * 3, (1.0,) * 3, _CIFAR_SHAPE, 10, "no normalisation"),
        "cifar100-raw": Preset((0.0,) * 3, (1.0,) * 3, _CIFAR_SHAPE, 100, "no normalisation"),
        "imagenet-raw": Preset((0.0,) * 3, (1.0,) * 3, (3, 224, 224), 1000, "no normalisation"),
        "imagenet": Preset(
            _IMAGENET_MEAN, _IMAGENET_STD, (3, 224, 224), 1000, "torchvision and Cohen et al. (2019)"
        ),
        "mnist": Preset((0.0,), (1.0,), (1, 28, 28), 10, "no normalisation, as in the certification papers"),
        "mnist-pixel-std": Preset(
            (0.1307,), (0.3081,), (1, 28, 28), 10, "the moments of the training pixels"
        ),
    }
)
"""By name. Two standard deviations circulate for CIFAR-10, and the wrong one costs accuracy silently."""


def find_preset(name: str) -> Preset:
    """Return the preset called ``name``.

    Raises:
        NotFound: If there is none; the message lists those that exist.
    """
    if name not in PRESETS:
        raise NotFound(f"No preset is called {name!r}; there are {', '.join(sorted(PRESETS))}.")
    return PRESETS[name]
