"""Let cuDNN end a convolution with its bias, the shortcut and the ReLU, in one kernel.

Alone, each of these reads and writes every activation once more, and on a GPU that is most of the time of a
residual network: measured on an H100 in bfloat16, blocks of 32 and 64 channels take half the time so. Narrow
convolutions, for which cuDNN has no good kernel, are widened first: in the layout with channels innermost two
or four neighbours in a row are one pixel of more channels without a byte being moved, and the kernel that
does the same to such pixels has the old weights and zeros.

Rounding differs from separate layers, so the record of the execution counts both. Forward convolutions are
not among the routines whose results cuDNN lets vary from run to run (its guide, "Reproducibility").
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, TypeGuard

import torch
from torch import nn
from torch.fx import Node
from torch.nn import functional

from certd.models.runtime.widening import narrow_again, widen, widened_weight, worth_widening

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from certd.models.runtime.layers import Layers

ADDITIONS: dict[str, tuple[object, ...]] = {
    "call_function": (operator.add, operator.iadd, torch.add),
    "call_method": ("add", "add_"),
}
RECTIFIERS: dict[str, tuple[object, ...]] = {
    "call_function": (functional.relu, torch.relu, torch.relu_),
    "call_method": ("relu", "relu_"),
}
IN_PLACE = (operator.iadd, "add_")


class FusedConvolution(nn.Module):
    """``relu(convolution(features) + bias + residual)``, the residual being optional.

    Args:
        layer: The convolution; zero padding by numbers.
        width: Width of its input, in pixels, on which depends whether it is widened.
    """

    def __init__(self, layer: nn.Conv2d, width: int) -> None:
        super().__init__()
        self.factor = worth_widening(layer, width)
        self.weight = nn.Parameter(widened_weight(layer.weight, self.factor), requires_grad=False)
        bias = layer.weight.new_zeros(layer.out_channels) if layer.bias is None else layer.bias.detach()
        self.bias = nn.Parameter(bias.repeat(self.factor), requires_grad=False)
        self._where = (list(layer.stride), list(layer.padding), list(layer.dilation), layer.groups)

    def forward(self, features: Tensor, residual: Tensor | None = None) -> Tensor:
        """Return activations, ``[image, channel, height, width]``."""
        ended: Tensor = convolve_relu(features, self.weight, self.bias, residual, self.factor, *self._where)
        return ended


@torch.library.custom_op("certd::convolve_relu", mutates_args=())
def convolve_relu(  # noqa: PLR0913, PLR0917 - a convolution's own
    features: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    residual: torch.Tensor | None,
    factor: int,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    groups: int,
) -> torch.Tensor:
    """Return ``relu(convolution(features) + bias + residual)``, as separate operations.

    Args:
        features: ``[image, channel, height, width]``.
        weight: Of the widened convolution.
        bias: One value for each of its output channels.
        residual: Added before the ReLU; of the shape of the result.
        factor: Neighbours that are one pixel to ``weight``.
        stride: In both directions, as for the next two.
        padding: Zeros on each side.
        dilation: Steps between the weights.
        groups: Of channels.
    """
    wide = functional.conv2d(widen(features, factor), weight, bias, stride, padding, dilation, groups)
    sums = narrow_again(wide, factor)
    ended = (sums if residual is None else sums + residual).relu()
    return ended.contiguous(memory_format=torch.channels_last)


@convolve_relu.register_kernel("cuda")
def _with_cudnn(  # noqa: PLR0913, PLR0917 - see convolve_relu
    features: Tensor,
    weight: Tensor,
    bias: Tensor,
    residual: Tensor | None,
    factor: int,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    if features.dtype == torch.float64:
        return convolve_relu._init_fn(  # type: ignore[no-any-return] # noqa: SLF001 - its only name
            features, weight, bias, residual, factor, stride, padding, dilation, groups
        )
    inputs, where = widen(features, factor), (stride, padding, dilation, groups)
    if residual is None:
        ended = torch.cudnn_convolution_relu(inputs, weight, bias, *where)
    else:
        shortcut = widen(residual, factor)
        ended = torch.cudnn_convolution_add_relu(inputs, weight, shortcut, 1.0, bias, *where)
    return narrow_again(ended, factor).contiguous(memory_format=torch.channels_last)


@convolve_relu.register_fake
def _shape_of(  # noqa: PLR0913, PLR0917 - see convolve_relu
    features: Tensor,
    weight: Tensor,
    bias: Tensor,  # noqa: ARG001 - a shape depends on none of these three
    residual: Tensor | None,  # noqa: ARG001
    factor: int,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,  # noqa: ARG001
) -> Tensor:
    sizes = [features.shape[2], features.shape[3] // factor]
    for axis, size in enumerate(sizes):
        reach = dilation[axis] * (weight.shape[2 + axis] - 1) + 1
        sizes[axis] = (size + 2 * padding[axis] - reach) // stride[axis] + 1
    shape = (features.shape[0], weight.shape[0] // factor, sizes[0], sizes[1] * factor)
    return features.new_empty(shape).to(memory_format=torch.channels_last)


def fuse_epilogues(layers: Layers, input_shape: tuple[int, int, int]) -> tuple[int, int]:
    """Fuse every convolution that alone is read by a ReLU, or by a sum that alone is read by one.

    Args:
        layers: The network after normalisation; changed in place.
        input_shape: Channel, height, width.

    Returns:
        How many were fused, and how many of them were widened.
    """
    layers.infer_shapes(input_shape)
    found = [fused for node in layers.nodes() if (fused := _fuse(layers, node)) is not None]
    return len(found), sum(convolution.factor > 1 for convolution in found)


def _fuse(layers: Layers, node: Node) -> FusedConvolution | None:
    """Fuse the convolution that ``node`` calls with what ends it, if something does."""
    layer, reader = layers.owned(node), _only_reader(node)
    if not _is_plain(layer) or reader is None:
        return None
    if _rectifies(layers, reader):
        return _replace(layers, layer, (node, reader), None)
    residual, end = _other_summand(reader, node), _only_reader(reader)
    if residual is None or end is None or not _rectifies(layers, end):
        return None
    return _replace(layers, layer, (node, reader, end), residual)


def _is_plain(layer: nn.Module | None) -> TypeGuard[nn.Conv2d]:
    # A subclass may compute something else.
    if type(layer) is not nn.Conv2d:
        return False
    return layer.padding_mode == "zeros" and not isinstance(layer.padding, str)


def _replace(
    layers: Layers, layer: nn.Conv2d, nodes: tuple[Node, ...], residual: Node | None
) -> FusedConvolution:
    """Put one layer in the place of ``nodes``, a chain that begins with the convolution."""
    features: Any = nodes[0].args[0]
    fused = FusedConvolution(layer, layers.shape(features)[3])
    layers.replace(nodes, fused, (features,) if residual is None else (features, residual))
    return fused


def _only_reader(node: Node) -> Node | None:
    readers = list(node.users)
    return readers[0] if len(readers) == 1 else None


def _rectifies(layers: Layers, node: Node) -> bool:
    """Return whether ``node`` is a plain ReLU."""
    return type(layers.layer(node)) is nn.ReLU or node.target in RECTIFIERS.get(node.op, ())


def _other_summand(node: Node, summand: Node) -> Node | None:
    """Return what ``node`` adds to ``summand``, where it adds two tensors of one shape and nothing else.

    A sum in place is one only where it is the summand that it overwrites: others may read the other one.
    """
    if node.target not in ADDITIONS.get(node.op, ()) or node.kwargs or len(node.args) != 2:
        return None
    first, second = node.args
    other = second if first is summand else first
    if not isinstance(other, Node) or other is summand or (node.target in IN_PLACE and other is first):
        return None
    return other if other.meta["shape"] == summand.meta["shape"] else None
