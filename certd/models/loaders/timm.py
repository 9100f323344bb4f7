"""Networks of timm, built without weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from certd.datasets.extras import import_extra
from certd.errors import NotFound

if TYPE_CHECKING:
    from torch import nn


def build_timm(name: str, input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """Return timm's model ``name`` for ``input_shape``; the caller's random numbers are kept.

    Raises:
        Unavailable: If timm is not installed.
        NotFound: If it has no such model.
    """
    timm = import_extra("timm", "timm")
    if not timm.is_model(name):
        raise NotFound(f"timm has no model {name!r}; timm.list_models() names them.")
    with torch.random.fork_rng(devices=[]):
        network: nn.Module = timm.create_model(
            name, pretrained=False, num_classes=num_classes, in_chans=input_shape[0]
        )
    return network
