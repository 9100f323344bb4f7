"""Turn a registry entry into a base classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from certd.errors import NotFound
from certd.models.architectures import ARCHITECTURES
from certd.models.base_classifier import BaseClassifier
from certd.models.loaders.safetensors import read_safetensors
from certd.models.normalized import Normalized
from certd.models.registry import BUILTIN_FOLDER, find_model

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from certd.models.specification import ModelSpecification


def load_model(
    reference: str, device: str | torch.device = "cpu", folder: Path = BUILTIN_FOLDER
) -> BaseClassifier:
    """Load a registered model, with its digest checked every time.

    Args:
        reference: ``name``, or ``name@sha256:digest``.
        device: Where the module goes, as torch names devices.
        folder: Where the sidecars and the weights lie.

    Returns:
        The classifier, in eval mode and without gradients of its weights.

    Raises:
        NotFound: If no such model, digest or architecture is registered, or the weights are gone.
        DigestMismatch: If the weights on disk are not those that were registered.
        ModelError: If the weights do not fit the architecture.
    """
    specification = find_model(reference, folder)
    network = _build_network(specification)
    read_safetensors(folder / specification.weights, specification.sha256, network)
    return BaseClassifier(
        name=specification.name,
        digest=specification.digest,
        module=Normalized(network, specification.mean, specification.std).to(device),
        input_shape=specification.input_shape,
        num_classes=specification.num_classes,
        specification=specification,
    )


def _build_network(specification: ModelSpecification) -> nn.Module:
    if specification.architecture not in ARCHITECTURES:
        raise NotFound(
            f"{specification.name} has the unknown architecture {specification.architecture!r}; "
            f"there are {', '.join(sorted(ARCHITECTURES))}."
        )
    # On the meta device nothing is initialised, so loading leaves the caller's random numbers alone.
    with torch.device("meta"):
        return ARCHITECTURES[specification.architecture](specification.input_shape, specification.num_classes)
