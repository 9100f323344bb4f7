"""Networks of torchvision, built without weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from certd.datasets.extras import import_extra
from certd.errors import NotFound

if TYPE_CHECKING:
    from torch import nn


def build_torchvision(name: str, num_classes: int) -> nn.Module:
    """Return torchvision's model ``name`` with ``num_classes`` logits; the caller's random numbers are kept.

    Raises:
        Unavailable: If torchvision is not installed.
        NotFound: If it has no such model.
    """
    models = import_extra("torchvision.models", "torchvision")
    if name not in models.list_models():
        raise NotFound(f"torchvision has no model {name!r}; torchvision.models.list_models() names them.")
    with torch.random.fork_rng(devices=[]):
        network: nn.Module = models.get_model(name, weights=None, num_classes=num_classes)
    return network
