"""Turn a registry entry into a base classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.models.base_classifier import BaseClassifier
from certd.models.ensemble_loading import load_ensemble
from certd.models.ensemble_specification import EnsembleSpecification
from certd.models.mixture_loading import load_mixture
from certd.models.mixture_specification import MixtureSpecification
from certd.models.networks import read_network
from certd.models.normalized import Normalized
from certd.models.registry import BUILTIN_FOLDER, find_entry
from certd.models.soup_loading import load_soup
from certd.models.soup_specification import SoupSpecification

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from certd.models.specification import ModelSpecification


def load_model(
    reference: str,
    device: str | torch.device = "cpu",
    folder: Path = BUILTIN_FOLDER,
    *,
    registry: Path | None = None,
) -> BaseClassifier:
    """Load a registered model, with its digest checked every time.

    Args:
        reference: ``name``, or ``name@sha256:digest``.
        device: Where the module goes, as torch names devices.
        folder: Where the built-in sidecars and their weights lie.
        registry: The operator's YAML file, if there is one.

    Returns:
        The classifier, in eval mode and without gradients of its weights.

    Raises:
        NotFound: If no such model, digest or architecture is registered, or the weights are gone.
        DigestMismatch: If the weights on disk are not those that were registered.
        ModelError: If the weights do not fit the architecture.
        Unavailable: If a package that the format needs is not installed.
    """
    entry = find_entry(reference, folder, registry)

    def load_part(part: str) -> BaseClassifier:
        return load_model(part, device, folder, registry=registry)

    if isinstance(entry.specification, SoupSpecification):
        return load_soup(entry.specification, entry.folder, load_part)
    if isinstance(entry.specification, MixtureSpecification):
        return load_mixture(entry.specification, entry.folder, load_part)
    if isinstance(entry.specification, EnsembleSpecification):
        return load_ensemble(entry.specification, load_part)
    return load_specification(entry.specification, entry.folder, device)


def load_specification(
    specification: ModelSpecification, folder: Path, device: str | torch.device = "cpu"
) -> BaseClassifier:
    """Load the model that ``specification`` describes, whose ``uri`` is relative to ``folder``.

    Raises:
        CertdError: As :func:`load_model` does.
    """
    network = read_network(specification, folder / specification.uri)
    return BaseClassifier(
        name=specification.name,
        digest=specification.digest,
        module=Normalized(network, specification.mean, specification.std).to(device),
        input_shape=specification.input_shape,
        num_classes=specification.num_classes,
        specification=specification,
    )
