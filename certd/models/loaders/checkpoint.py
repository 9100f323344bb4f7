"""Checkpoints of ``torch.save``, in the shapes that the smoothing literature publishes."""

from __future__ import annotations

import io
import pickle
import struct
import warnings
import zipfile
from dataclasses import dataclass
from typing import Any

import torch

from certd.errors import ModelError

ARCHIVE = b"PK\3\4"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """What a checkpoint says about its network.

    Attributes:
        state: Named tensors, as they were saved.
        arch: The training script's name for the architecture, if it left one.
        training_sigma: Noise level of training, if it left one.
    """

    state: dict[str, torch.Tensor]
    arch: str | None = None
    training_sigma: float | None = None


def read_checkpoint(data: bytes, name: str) -> Checkpoint:
    """Read a checkpoint without running anything in it: ``weights_only`` is always on.

    Accepts ``{"arch": ..., "state_dict": ...}``, a plain state dictionary, and a list of state dictionaries
    (a cascade), of which the first network is taken.

    Args:
        data: The whole file.
        name: What to call it in a refusal.

    Raises:
        ModelError: If it is damaged, needs code to be read, holds no state dictionary, or would take more
            memory than it has bytes.
    """
    _require_stored(data, name)
    try:
        with warnings.catch_warnings():
            # torch warns of unusual pickles before it refuses them; the refusal is what a user should read.
            warnings.simplefilter("ignore")
            content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{name} holds more than tensors and plain values, and code in weights is never run; load it "
            "where it was made and save its state_dict alone."
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
        raise ModelError(f"{name} is no intact torch checkpoint: {error}.") from error
    return _checkpoint(content, name)


def _require_stored(data: bytes, name: str) -> None:
    """Refuse an archive that grows: torch writes members as they are, and reads compressed ones too."""
    if not data.startswith(ARCHIVE):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise ModelError(f"{name} is no intact torch checkpoint: {error}.") from error
    packed = any(member.compress_type != zipfile.ZIP_STORED for member in members)
    if packed or sum(member.file_size for member in members) > len(data):
        raise ModelError(
            f"{name} is compressed, or holds one member as several; save it with torch.save alone."
        )


def _checkpoint(content: Any, name: str) -> Checkpoint:
    members = content if isinstance(content, dict) else {}
    state = members.get("state_dict", content)
    if isinstance(state, list) and state:
        state = state[0]
    if not isinstance(state, dict) or not any(isinstance(value, torch.Tensor) for value in state.values()):
        raise ModelError(f"{name} holds no state dictionary; save model.state_dict().")
    arch, sigma = members.get("arch"), members.get("training_sigma", members.get("noise_sd"))
    return Checkpoint(
        state={str(key): value for key, value in state.items() if isinstance(value, torch.Tensor)},
        arch=arch if isinstance(arch, str) else None,
        training_sigma=float(sigma) if isinstance(sigma, int | float) else None,
    )
