"""Image classifiers of transformers, rebuilt from a ``config.json`` on disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import torch
from torch import nn

from certd.datasets.extras import import_extra
from certd.errors import ModelError
from certd.models.loaders.weights_file import read_weights

if TYPE_CHECKING:
    from pathlib import Path


class Logits(nn.Module):
    """Take the logits out of what a transformers classifier returns."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits ``[image, class]`` of normalised images ``[image, channel, height, width]``."""
        logits: torch.Tensor = self.classifier(pixel_values=images).logits
        return logits


def build_huggingface(config: Path, sha256: str) -> nn.Module:
    """Return the classifier that ``config`` describes, without weights; code beside it is never run.

    It returns an object that holds the logits: :class:`Logits` takes them out.

    The configuration is part of the function, so its digest is part of the architecture's name.

    Raises:
        Unavailable: If transformers is not installed.
        NotFound: If the file is gone.
        DigestMismatch: If it is not the configuration that was registered.
        ModelError: If it describes no image classifier that transformers itself can build.
    """
    members = _members(read_weights(config, sha256), config.name)
    transformers = import_extra("transformers", "hf")
    try:
        with torch.random.fork_rng(devices=[]):
            described = transformers.AutoConfig.for_model(**members)
            builder = transformers.AutoModelForImageClassification
            classifier: nn.Module = builder.from_config(described, trust_remote_code=False)
    except (ValueError, TypeError, KeyError, ImportError) as error:
        raise ModelError(f"transformers builds no image classifier from {config.name}: {error}.") from error
    return classifier


def _members(data: bytes, name: str) -> dict[str, object]:
    try:
        members = json.loads(data)
    except ValueError as error:
        raise ModelError(f"{name} is no JSON: {error}.") from error
    if not isinstance(members, dict) or "model_type" not in members:
        raise ModelError(f"{name} names no model_type, so it is no configuration of transformers.")
    # Names of Python files beside the configuration: following them would run them.
    members.pop("auto_map", None)
    return members
