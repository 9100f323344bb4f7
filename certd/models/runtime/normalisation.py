"""From the noise buffer, on the scale 0..255, to what a network's first layer takes.

The scale folds into the first layer's weights. The mean does not fold into its bias: a convolution pads its
normalised input with zeros, that is with the mean, so at the border the bias would be wrong. It is subtracted
from the noisy image. Subtracting it from the clean image beforehand would save little and cost the guarantee:
``fl(fl(x - m) + K)`` is no function of the integer ``x + K`` alone.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch import nn

from certd.models.normalized import Normalized

if TYPE_CHECKING:
    from torch import Tensor
    from torch.fx import Node

    from certd.models.runtime.layers import Layers

LEVELS = 255.0


class Normalisation(nn.Module):
    """Divide by 255, subtract the mean, divide by the scale: bit for bit what the plain classifier does."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, levels: Tensor) -> Tensor:
        """Return normalised images ``[image, channel, height, width]``."""
        return (levels / LEVELS - self.mean) / self.std


class Centring(nn.Module):
    """Subtract 255 times the mean; the first layer does the rest."""

    offset: Tensor

    def __init__(self, mean: Tensor) -> None:
        super().__init__()
        self.register_buffer("offset", mean * LEVELS)

    def forward(self, levels: Tensor) -> Tensor:
        """Return centred images ``[image, channel, height, width]``, on the scale of 0..255."""
        return levels - self.offset


def split_normalisation(module: nn.Module) -> tuple[nn.Module, Normalisation]:
    """Return the network inside ``module`` and what stands before it, on the same device."""
    if type(module) is Normalized:
        return module.network, Normalisation(module.mean, module.std)
    state = next(chain(module.parameters(), module.buffers()), torch.empty(0))
    mean = torch.zeros(1, 1, 1, 1, device=state.device)
    return module, Normalisation(mean, torch.ones_like(mean))


def fold_scale(layers: Layers, std: Tensor, input_shape: tuple[int, int, int]) -> bool:
    """Fold ``1 / (255 std)`` into the first layer, if it alone reads the images and is called once.

    Args:
        layers: The network after normalisation.
        std: Scale of each channel, broadcastable to ``[1, channel, height, width]``.
        input_shape: Channel, height, width.

    Returns:
        Whether it was folded; if not, nothing was changed.
    """
    factor = (1 / (LEVELS * std.double())).expand(1, *input_shape)[0]
    layer, flattened = _first_layer(layers)
    if type(layer) is nn.Conv2d and layer.groups == 1 and not flattened:
        per_input = factor[:, 0, 0].view(1, -1, 1, 1)
    elif type(layer) is nn.Linear and flattened:
        per_input = factor.reshape(1, -1)
    else:
        return False
    layer.weight = nn.Parameter(layer.weight * per_input, requires_grad=False)
    return True


def _first_layer(layers: Layers) -> tuple[nn.Module | None, bool]:
    """Return the only reader of the images, and whether it reads them flattened."""
    images = next(node for node in layers.nodes() if node.op == "placeholder")
    reader = _only_reader(images)
    if type(layer := layers.layer(reader)) is nn.Flatten and (layer.start_dim, layer.end_dim) == (1, -1):
        return layers.owned(_only_reader(reader)), True
    return layers.owned(reader), False


def _only_reader(node: Node | None) -> Node | None:
    readers = list(node.users) if node is not None else []
    return readers[0] if len(readers) == 1 else None
