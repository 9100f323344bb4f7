"""The least time of a draw on a device: its arithmetic, and the bytes that no kernel could spare.

Counted with every bias, batch-norm, sum and ReLU inside the convolution before it: each activation is written
once and read once, a shortcut once more, the noisy image once each way. Weights are left out, for a batch
shares them. What the device does in a second is measured: a copy, and a product of matrices.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import torch
from torch import nn

from certd.models.runtime.fold import fold
from certd.models.runtime.layers import Layers

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch.fx import Node

    from certd.models import BaseClassifier

SIDE, COPIED_BYTES, REPEATS = 8192, 1 << 30, 10
NOISE_BYTES = 4


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What a device was seen to do: operations a second in one type, and bytes a second."""

    operations: float
    bytes: float


def measure(dtype: torch.dtype, device: str) -> Ceilings:
    """Measure a device."""
    factors = [torch.randn(SIDE, SIDE, device=device, dtype=dtype) for _ in range(2)]
    read, written = (torch.zeros(COPIED_BYTES, dtype=torch.uint8, device=device) for _ in range(2))
    return Ceilings(
        2 * SIDE**3 / _seconds(lambda: factors[0] @ factors[1]),
        2 * COPIED_BYTES / _seconds(lambda: written.copy_(read)),
    )


def draws_a_second(classifier: BaseClassifier, dtype: torch.dtype, ceilings: Ceilings) -> float:
    """Return the most draws a second that the ceilings allow."""
    layers = Layers(fold(classifier).network)
    layers.infer_shapes(classifier.input_shape)
    operations = sum(_operations(layers, node) for node in layers.nodes())
    activations = sum(_activations(layers, node) for node in layers.nodes())
    moved = activations * dtype.itemsize + 2 * NOISE_BYTES * math.prod(classifier.input_shape)
    return 1 / max(operations / ceilings.operations, moved / ceilings.bytes)


def _operations(layers: Layers, node: Node) -> int:
    layer = layers.layer(node)
    if not isinstance(layer, nn.Conv2d | nn.Linear):
        return 0
    return 2 * math.prod(layers.shape(node)) * math.prod(layer.weight.shape[1:])


def _activations(layers: Layers, node: Node) -> int:
    """Return how many activations ``node`` must move where its neighbours are one kernel with it."""
    if isinstance(layers.layer(node), nn.Conv2d | nn.Linear | nn.MaxPool2d):
        return math.prod(layers.shape(node.all_input_nodes[0])) + math.prod(layers.shape(node))
    return math.prod(layers.shape(node)) if node.target is operator.add else 0


def _seconds(work: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        torch.cuda.synchronize()
        began = perf_counter()
        work()
        torch.cuda.synchronize()
        times.append(perf_counter() - began)
    return median(times[REPEATS // 2 :])
