"""Open a model that stands in no registry: for the command line and for notebooks, never for a request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from certd.errors import InvalidParameter
from certd.models.base_classifier import BaseClassifier
from certd.models.declaration import Declaration, ModelUri
from certd.models.draft import draft_model
from certd.models.loaders.code import build_from_code
from certd.models.loading import load_specification
from certd.models.normalized import Normalized
from certd.models.presets import find_preset

if TYPE_CHECKING:
    import torch


def open_model(  # noqa: PLR0913 - a place, what is known about it, and what it may do
    uri: str,
    declaration: Declaration | None = None,
    device: str | torch.device = "cpu",
    *,
    folder: Path | None = None,
    allow_code: bool = False,
    sigma: float | None = None,
) -> BaseClassifier:
    """Return the classifier in a file on this machine, or made by the user's own code.

    What had to be assumed stands in the description of the classifier's specification.

    Args:
        uri: As :meth:`certd.models.declaration.ModelUri.parse` reads it.
        declaration: Whatever the user knows about the model.
        device: Where the module goes, as torch names devices.
        folder: What ``uri`` is relative to; None for the working directory.
        allow_code: Whether ``py:`` may run code; True on the command line only.
        sigma: Noise level of the certification, for code that asks for it.

    Raises:
        Forbidden: If ``uri`` names code and that is not allowed.
        CertdError: As :func:`draft_model` and :func:`load_model` do.
    """
    declaration = declaration or Declaration()
    parsed = ModelUri.parse(uri)
    if parsed.scheme == "py":
        network = build_from_code(parsed.name, allow_code=allow_code, sigma=sigma)
        return _classifier_of_code(network, declaration, device)
    draft = draft_model(parsed, declaration, folder)
    return load_specification(draft.specification, folder or Path(), device)


def _classifier_of_code(
    network: torch.nn.Module, declaration: Declaration, device: str | torch.device
) -> BaseClassifier:
    """Return user code as a classifier; it normalises by itself unless mean and std are declared."""
    shape, classes = declaration.input_shape, declaration.num_classes
    if declaration.preset is not None:
        preset = find_preset(declaration.preset)
        shape, classes = shape or preset.input_shape, classes or preset.num_classes
    if shape is None or classes is None:
        raise InvalidParameter("py: models need an input shape and a number of classes, or a preset.")
    if (declaration.mean is None) != (declaration.std is None):
        raise InvalidParameter("mean and std go together; give both, or neither if the code normalises.")
    if declaration.mean is not None and declaration.std is not None:
        network = Normalized(network, declaration.mean, declaration.std)
    return BaseClassifier.from_module(network.to(device), declaration.name, shape, classes)
