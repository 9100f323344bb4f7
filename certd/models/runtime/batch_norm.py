"""Fold batch-norms into the layers before them.

In eval mode a batch-norm is an affine map of each channel, and so is the end of a convolution or of a dense
layer: one such layer computes both. What a convolution pads is padded before it, so borders stay right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

import torch
from torch import nn
from torch.fx import Node

if TYPE_CHECKING:
    from torch import Tensor

    from certd.models.runtime.layers import Layers

Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d
Affine = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear

# A subclass may compute something else, and so may a parametrised layer, which is a subclass.
NORMS: frozenset[type[nn.Module]] = frozenset({nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d})
AFFINE: frozenset[type[nn.Module]] = frozenset({nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear})


def fold_batch_norms(layers: Layers) -> int:
    """Fold every batch-norm that alone reads a layer called once; leave the others as they are.

    Returns:
        How many were folded.
    """
    pairs = [(node, pair) for node in layers.nodes() if (pair := _pair(layers, node)) is not None]
    for node, (before, layer, norm) in pairs:
        _absorb(layer, norm)
        layers.remove(node, before)
    return len(pairs)


def count_batch_norms(network: nn.Module) -> int:
    """Return how many batch-norms a network holds."""
    return sum(type(layer) in NORMS for layer in network.modules())


def _pair(layers: Layers, node: Node) -> tuple[Node, Affine, Norm] | None:
    """Return the node before ``node`` and both their layers, if they can become one."""
    before = node.args[0] if len(node.args) == 1 and not node.kwargs else None
    if not isinstance(before, Node) or len(before.users) != 1:
        return None
    layer, norm = layers.owned(before), layers.owned(node)
    return (before, layer, norm) if _is_affine(layer) and _is_fixed(norm) else None


def _is_affine(layer: nn.Module | None) -> TypeGuard[Affine]:
    return type(layer) in AFFINE


def _is_fixed(norm: nn.Module | None) -> TypeGuard[Norm]:
    """Return whether ``norm`` is a batch-norm by stored statistics rather than by those of the batch."""
    return isinstance(norm, Norm) and type(norm) in NORMS and not norm.training and _has_statistics(norm)


def _has_statistics(norm: Norm) -> bool:
    return norm.running_mean is not None and norm.running_var is not None


def _absorb(layer: Affine, norm: Norm) -> None:
    """Let ``layer`` compute what ``norm`` makes of its output."""
    factor, shift = _affine_map(norm)
    bias = torch.zeros_like(shift) if layer.bias is None else layer.bias
    per_channel = factor.view(-1, *[1] * (layer.weight.dim() - 1))
    layer.weight = nn.Parameter(layer.weight * per_channel, requires_grad=False)
    layer.bias = nn.Parameter(bias * factor + shift, requires_grad=False)


def _affine_map(norm: Norm) -> tuple[Tensor, Tensor]:
    """Return the factor and the shift by which ``norm`` maps each channel."""
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    factor = (variance + norm.eps).rsqrt()
    if norm.weight is not None:
        factor = factor * norm.weight
    shift = -mean * factor
    return factor, shift if norm.bias is None else shift + norm.bias
