"""Weights in safetensors files: tensors and nothing that runs."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import safetensors
import safetensors.torch

from certd.errors import DigestMismatch, ModelError, NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn


def read_safetensors(path: Path, sha256: str, network: nn.Module) -> None:
    """Give ``network`` the weights in ``path``, having checked their digest; it may be on the meta device.

    The bytes that are hashed are the bytes that are used; the file is read once.

    Raises:
        NotFound: If there is no such file.
        DigestMismatch: If the file's SHA-256 is not ``sha256``.
        ModelError: If the tensors are not exactly those of ``network``.
    """
    data = _read(path)
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise DigestMismatch(
            f"{path.name} has SHA-256 {found}, but {sha256} is registered; restore the weights."
        )
    try:
        network.load_state_dict(safetensors.torch.load(data), assign=True)
    except (safetensors.SafetensorError, RuntimeError) as error:
        raise ModelError(f"{path.name} does not hold the weights of this architecture: {error}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"The weights {path.name} are gone; restore them beside their sidecar.") from error
