"""Networks, classifiers and buffers that the tests of the runtime share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from certd.models import BaseClassifier
from certd.models.normalized import Normalized

if TYPE_CHECKING:
    from certd.models.runtime.prepared import PreparedClassifier

MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
ROWS = 6


def classify(network: nn.Module, shape: tuple[int, int, int] = (3, 16, 16)) -> BaseClassifier:
    """Return a base classifier of ``network``, with settled batch-norms and a normalisation."""
    _settle(network)
    module = Normalized(network, MEAN[: shape[0]], STD[: shape[0]])
    return BaseClassifier.from_module(module, "network", shape, 10)


def _settle(network: nn.Module) -> None:
    """Give every batch-norm statistics and weights as training would, the same ones every time."""
    generator = torch.Generator().manual_seed(7)
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None:
            norm.get_buffer("running_mean").normal_(0, 0.2, generator=generator)
            norm.get_buffer("running_var").uniform_(0.3, 3, generator=generator)
            nn.init.uniform_(norm.weight, 0.5, 1.5, generator=generator)
            nn.init.normal_(norm.bias, 0, 0.3, generator=generator)


def noisy(shape: tuple[int, int, int] = (3, 16, 16), rows: int = ROWS) -> Tensor:
    """Return rows of a noise buffer: integers around 0..255."""
    generator = torch.Generator().manual_seed(3)
    return torch.randint(-60, 310, (rows, shape[0] * shape[1] * shape[2]), generator=generator).float()


def plain_logits(classifier: BaseClassifier, buffer: Tensor) -> Tensor:
    """Return what the classifier's own module answers."""
    with torch.inference_mode():
        logits: Tensor = classifier.module(buffer.div(255).view(-1, *classifier.input_shape))
    return logits


def largest_difference(prepared: PreparedClassifier, classifier: BaseClassifier, buffer: Tensor) -> float:
    """Return the largest difference of logits, relative to the largest logit."""
    expected = plain_logits(classifier, buffer)
    return float((prepared(buffer) - expected).abs().max() / expected.abs().max())


def conv(in_width: int = 3, width: int = 4) -> nn.Conv2d:
    """Return a convolution that keeps the size of images."""
    return nn.Conv2d(in_width, width, kernel_size=3, padding=1)


def head(width: int = 4) -> nn.Sequential:
    """Return the end of a network: the mean of each channel, and logits."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))
