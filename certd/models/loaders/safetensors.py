"""Weights in safetensors files: tensors and nothing that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import safetensors
import safetensors.torch

from certd.errors import ModelError

if TYPE_CHECKING:
    import torch


def read_safetensors(data: bytes, name: str) -> dict[str, torch.Tensor]:
    """Return the named tensors in a safetensors file.

    Args:
        data: The whole file.
        name: What to call it in a refusal.

    Raises:
        ModelError: If it is no such file.
    """
    try:
        return safetensors.torch.load(data)
    except safetensors.SafetensorError as error:
        raise ModelError(f"{name} does not hold the weights of a model as safetensors: {error}.") from error
