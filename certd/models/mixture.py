"""The two products of a mixture, as base classifiers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from certd.errors import NonFiniteLogits
from certd.models.base_classifier import BaseClassifier, require_no_mixture
from certd.models.logit_transform import robust_logits
from certd.models.normalized import Normalized
from certd.models.runtime.numerics import keep_cublas_repeatable, numerics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from certd.models.mixing import Mixing
    from certd.models.mixing_network import MixingNetwork

LEVELS = 255.0
# At the ends themselves a logarithm is infinite, and so is its gradient.
NEAR_END = 1e-6


class Mixture(nn.Module):
    """``log((1 - a) g + a h)``, the mixture as one network.

    Args:
        standard: g, from images to logits.
        robust: h, from images to logits.
        mixing: How they are mixed.
        network: Chooses a for each image; None where it is constant.
    """

    def __init__(
        self, standard: nn.Module, robust: nn.Module, mixing: Mixing, network: MixingNetwork | None = None
    ) -> None:
        super().__init__()
        self.standard, self.robust, self.network = standard, robust, network
        self._mixing = mixing
        self._weight = mixing.weight

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logarithms of mixed probabilities ``[image, class]``."""
        return self.mixed_and_weight(images)[0]

    def mixed_and_weight(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logarithms of mixed probabilities, and the weight of h on each image, float[image]."""
        g = (self._mixing.standard_scale * self.standard(images)).log_softmax(dim=1)
        h = robust_logits(self.robust(images), self._mixing).log_softmax(dim=1)
        if self.network is not None:
            chosen = self.network(g, h)
            weight = chosen.unsqueeze(1)
            inside = weight.clamp(NEAR_END, 1 - NEAR_END)
            return torch.logaddexp(torch.log1p(-inside) + g, inside.log() + h), chosen
        constant = torch.full((len(g),), self._weight, device=g.device)
        # The logarithms of 0 would be infinite, and infinite logits stop a job.
        if self._weight in {0.0, 1.0}:
            return (h if self._weight else g), constant
        mixed = torch.logaddexp(math.log1p(-self._weight) + g, math.log(self._weight) + h)
        return mixed, constant


class Rescaled(nn.Module):
    """The robust network with its logits as the mixture takes them, which changes how sure its softmax is."""

    def __init__(self, network: nn.Module, mixing: Mixing) -> None:
        super().__init__()
        self.network = network
        self._mixing = mixing

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return scaled or transformed logits ``[image, class]``."""
        return robust_logits(self.network(images), self._mixing)


@dataclass(frozen=True, slots=True, eq=False)
class StandardPart:
    """What of a smooth-then-mix mixture is not smoothed: it looks at clean images.

    It runs in float32, uncompiled, one image a pass, so that its output for an image depends on nothing else.

    Attributes:
        module: g, from images to logits.
        robust: h, from images to logits, for the mixing network alone.
        mixing: How they are mixed.
        network: Chooses the weight for each image; None where it is constant.
    """

    module: nn.Module
    robust: nn.Module
    mixing: Mixing
    network: MixingNetwork | None

    def observe(self, images: NDArray[np.uint8], device: str) -> list[tuple[tuple[float, ...], float | None]]:
        """Return for every image the logits of g, and the weight where the network chooses it.

        Args:
            images: uint8[image, channel, height, width].
            device: Where the modules are, as torch names devices.

        Raises:
            NonFiniteLogits: If g returns NaN or infinity; the message names the position of the image.
        """
        keep_cublas_repeatable()
        with numerics(tf32=False):
            return [self._observe(image, i, device) for i, image in enumerate(images)]

    def _observe(
        self, image: NDArray[np.uint8], position: int, device: str
    ) -> tuple[tuple[float, ...], float | None]:
        pixels = torch.from_numpy(np.ascontiguousarray(image)[None]).to(device).float() / LEVELS
        logits = self.module(pixels)
        if not bool(torch.isfinite(logits).all()):
            raise NonFiniteLogits(
                f"The standard classifier returned NaN or infinity on the clean image at position "
                f"{position}. Mend the model (overflow, division by zero) and submit again.",
                image=position,
                num_draws=0,
            )
        return tuple(logits[0].double().tolist()), self._weight(logits, pixels)

    def _weight(self, logits: torch.Tensor, pixels: torch.Tensor) -> float | None:
        if self.network is None:
            return None
        g = (self.mixing.standard_scale * logits).log_softmax(dim=1)
        h = robust_logits(self.robust(pixels), self.mixing).log_softmax(dim=1)
        low, high = self.mixing.weight, self.mixing.highest_weight or 1.0
        # Rounding must not leave the range that certificates rest on.
        return min(max(float(self.network(g, h)), low), high)


def mix(
    name: str,
    standard: BaseClassifier,
    robust: BaseClassifier,
    mixing: Mixing,
    network: MixingNetwork | None = None,
) -> BaseClassifier:
    """Return the mixture of two base classifiers as one.

    Of smooth-then-mix the votes are those of the robust classifier alone, bit for bit where its logits are
    neither scaled nor transformed; the standard one waits beside it for the clean images.

    Args:
        name: What to call the mixture.
        standard: g.
        robust: h.
        mixing: How they are mixed; its references are those of the two.
        network: Chooses the weight, where ``mixing`` says so.

    Raises:
        InvalidParameter: If one of the two is a mixture itself.
    """
    require_no_mixture((standard, robust))
    if mixing.product == "mix-then-smooth":
        module: nn.Module = Mixture(standard.module, robust.module, mixing, network)
        part = None
    else:
        module = _rescaled(robust.module, mixing)
        part = StandardPart(standard.module, robust.module, mixing, network)
    return BaseClassifier(
        name, mixing.digest, module, robust.input_shape, robust.num_classes, mixing=mixing, standard=part
    )


def _rescaled(module: nn.Module, mixing: Mixing) -> nn.Module:
    """Return a classifier of rescaled logits; normalisation stays outermost, where it can be folded."""
    if mixing.robust_transform is None and mixing.robust_scale == 1:
        return module
    if type(module) is Normalized:
        inner = Rescaled(module.network, mixing)
        return Normalized(inner, module.mean.flatten().tolist(), module.std.flatten().tolist()).to(
            module.mean.device
        )
    return Rescaled(module, mixing)
