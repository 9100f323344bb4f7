"""Fold what can be folded exactly, and check it before it is used."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from certd.models.runtime.batch_norm import count_batch_norms, fold_batch_norms
from certd.models.runtime.epilogues import fuse_epilogues
from certd.models.runtime.layers import UNTRACEABLE, Layers
from certd.models.runtime.normalisation import (
    LEVELS,
    Centring,
    fold_scale,
    split_normalisation,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from certd.models.base_classifier import BaseClassifier

PROBES = 4
TOLERANCE = 1e-6
"""Relative to the largest logit. Both sides compute in float64, where rounding stays far below it."""


@dataclass(frozen=True, slots=True, eq=False)
class Folding:
    """A base classifier in two parts, and what became of its parts.

    Attributes:
        first: From the scale of 0..255 to the network's input.
        network: The rest; the original object where ``folded`` is false, a copy where it is true.
        folded: Whether the network was rebuilt.
        normalisation_folded: Whether the scale went into the first layer.
        batch_norms_folded: Batch-norms that went into the layer before them.
        batch_norms_left: Batch-norms that run as they are.
        convolutions_fused: Convolutions that end with their ReLU.
        convolutions_widened: Those of them that see several pixels as one.
    """

    first: nn.Module
    network: nn.Module
    folded: bool
    normalisation_folded: bool
    batch_norms_folded: int
    batch_norms_left: int
    convolutions_fused: int = 0
    convolutions_widened: int = 0


def fold(classifier: BaseClassifier, *, fuse: bool = False) -> Folding:
    """Fold normalisation and batch-norms into their neighbours; the classifier itself is left as it is.

    Folded is what is exact in real numbers: batch-norms by their stored statistics, into a convolution or
    dense layer that nothing else reads and nothing else calls; the scale of normalisation, into a first layer
    that alone reads the image. The rest runs as it is. The work is done in float64 and rounded once, and it
    is compared with the original on noisy images first: whoever reads a network can be misled by its code, so
    a network that answers otherwise is not folded at all.

    Args:
        classifier: The base classifier.
        fuse: Whether convolutions are to end with their ReLU in one kernel; see
            ``certd.models.runtime.epilogues``.
    """
    try:
        folding = _fold(classifier, fuse=fuse)
        is_faithful = _changes_anything(folding) and _agrees(classifier, folding)
    except UNTRACEABLE:
        return unfolded(classifier)
    if not is_faithful:
        return unfolded(classifier)
    folding.first.float()
    folding.network.float()
    return folding


def unfolded(classifier: BaseClassifier) -> Folding:
    """Return the classifier in its two parts, as it is."""
    network, first = split_normalisation(classifier.module)
    return Folding(
        first,
        network,
        folded=False,
        normalisation_folded=False,
        batch_norms_folded=0,
        batch_norms_left=count_batch_norms(network),
    )


def _fold(classifier: BaseClassifier, *, fuse: bool) -> Folding:
    """Return the folded parts, in float64."""
    network, first = split_normalisation(classifier.module)
    layers = Layers(network)
    layers.module.double()
    batch_norms_folded = fold_batch_norms(layers)
    scale_folded = fold_scale(layers, first.std, classifier.input_shape)
    fused, widened = fuse_epilogues(layers, classifier.input_shape) if fuse else (0, 0)
    graph = layers.finish()
    return Folding(
        Centring(first.mean.double()) if scale_folded else first.double(),
        graph,
        folded=True,
        normalisation_folded=scale_folded,
        batch_norms_folded=batch_norms_folded,
        batch_norms_left=count_batch_norms(graph),
        convolutions_fused=fused,
        convolutions_widened=widened,
    )


def _changes_anything(folding: Folding) -> bool:
    return folding.normalisation_folded or folding.batch_norms_folded + folding.convolutions_fused > 0


def _agrees(classifier: BaseClassifier, folding: Folding) -> bool:
    """Compare the folded parts with the original on fixed noisy images, in float64."""
    original = deepcopy(classifier.module).double()
    levels = _probes(classifier)
    with torch.inference_mode():
        expected: Tensor = original(levels / LEVELS)
        logits: Tensor = folding.network(folding.first(levels))
    return torch.allclose(logits, expected, rtol=0, atol=TOLERANCE * float(expected.abs().max()))


def _probes(classifier: BaseClassifier) -> Tensor:
    """Return noisy images on the scale of 0..255, the same ones every time, float64."""
    generator = torch.Generator().manual_seed(0)
    shape = (PROBES, *classifier.input_shape)
    state = (*classifier.module.parameters(), *classifier.module.buffers())
    device = state[0].device if state else "cpu"
    return torch.randint(-64, 320, shape, generator=generator).double().to(device)
