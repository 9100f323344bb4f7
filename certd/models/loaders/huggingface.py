"""Image classifiers of transformers, rebuilt from a ``config.json`` on disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from certd.datasets.extras import import_extra
from certd.errors import ModelError
from certd.models.loaders.weights_file import read_weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REFUSED = ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs")
"""What transformers reports and goes on without."""


class Logits(nn.Module):
    """Take the logits out of what a transformers classifier returns."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits ``[image, class]`` of normalised images ``[image, channel, height, width]``."""
        logits: torch.Tensor = self.classifier(pixel_values=images).logits
        return logits


def read_huggingface(config: Path, sha256: str, state: Mapping[str, torch.Tensor], name: str) -> Logits:
    """Return the classifier that ``config`` describes, with the weights in ``state``.

    transformers itself assigns the weights, since it renames them between its versions. Code beside the
    configuration is never run. The configuration is part of the function, so its digest is checked too.

    Args:
        config: The model's ``config.json``.
        sha256: Its digest, which is part of the architecture's name.
        state: Tensors by name.
        name: What to call the file of weights in a refusal.

    Raises:
        Unavailable: If transformers is not installed.
        NotFound: If the configuration is gone.
        DigestMismatch: If it is not the configuration that was registered.
        ModelError: If it describes no image classifier, or the weights are not exactly its own.
    """
    members = _members(read_weights(config, sha256), config.name)
    transformers = import_extra("transformers", "hf")
    try:
        with torch.random.fork_rng(devices=[]):
            classifier, report = _assigned(transformers, members, state)
    except (ValueError, TypeError, KeyError, ImportError, RuntimeError) as error:
        raise ModelError(f"transformers builds no image classifier from {config.name}: {error}.") from error
    problems = [f"{kind} {sorted(map(str, report[kind]))[:3]}" for kind in REFUSED if report.get(kind)]
    if problems:
        raise ModelError(f"{name} does not hold the weights of this architecture: {', '.join(problems)}.")
    return Logits(classifier.float())


def _assigned(
    transformers: Any, members: Mapping[str, Any], state: Mapping[str, torch.Tensor]
) -> tuple[nn.Module, Mapping[str, Any]]:
    described = transformers.AutoConfig.for_model(**members)
    empty = transformers.AutoModelForImageClassification.from_config(described, trust_remote_code=False)
    classifier, report = type(empty).from_pretrained(
        None, config=described, state_dict=dict(state), output_loading_info=True
    )
    return classifier, report


def _members(data: bytes, name: str) -> dict[str, Any]:
    try:
        members = json.loads(data)
    except ValueError as error:
        raise ModelError(f"{name} is no JSON: {error}.") from error
    if not isinstance(members, dict) or "model_type" not in members:
        raise ModelError(f"{name} names no model_type, so it is no configuration of transformers.")
    # Names of Python files beside the configuration: following them would run them.
    members.pop("auto_map", None)
    return members
