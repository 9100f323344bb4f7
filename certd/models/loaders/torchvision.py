"""Networks of torchvision, built without weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from certd.datasets.extras import import_extra
from certd.errors import NotFound

if TYPE_CHECKING:
    from torch import nn


def build_torchvision(name: str, num_classes: int) -> nn.Module:
    """Return torchvision's classifier ``name`` with ``num_classes`` logits; random numbers are left alone.

    Its networks for detection and segmentation download the weights of their backbones, and are none.

    Raises:
        Unavailable: If torchvision is not installed.
        NotFound: If it has no such image classifier.
    """
    models = import_extra("torchvision.models", "torchvision")
    if name not in models.list_models(module=models):
        raise NotFound(
            f"torchvision has no image classifier {name!r}; "
            "torchvision.models.list_models(module=torchvision.models) names them."
        )
    with torch.random.fork_rng(devices=[]):
        network: nn.Module = models.get_model(name, weights=None, num_classes=num_classes)
    return network
