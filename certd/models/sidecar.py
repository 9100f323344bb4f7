"""The JSON beside a file of weights that says what the weights do not."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import ValidationError

from certd.errors import DigestMismatch, ModelError
from certd.models.specification import ModelSpecification

if TYPE_CHECKING:
    from pathlib import Path

    from certd.models.declaration import Declaration

CONVENTIONS = ("mean", "std", "input_shape", "num_classes")


def read_sidecar(weights: Path, data: bytes) -> ModelSpecification | None:
    """Return what ``NAME.json`` beside ``NAME.safetensors`` says; None where there is none.

    Args:
        weights: The file of weights.
        data: Its content.

    Raises:
        ModelError: If the sidecar is malformed.
        DigestMismatch: If it describes other weights.
    """
    path = weights.with_suffix(".json")
    if weights.suffix != ".safetensors" or not path.is_file():
        return None
    try:
        sidecar = ModelSpecification.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        member = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ModelError(f"{path.name} is no description of a model: {member}: {first['msg']}.") from error
    found = hashlib.sha256(data).hexdigest()
    if sidecar.sha256 != found:
        raise DigestMismatch(
            f"{path.name} describes weights with SHA-256 {sidecar.sha256}, and {weights.name} has {found}; "
            "they do not belong together."
        )
    return sidecar


def completed(declaration: Declaration, sidecar: ModelSpecification) -> Declaration:
    """Return a declaration with what was left open taken from a sidecar; a preset stands for conventions."""
    names = ["architecture", "training_sigma", *(() if declaration.preset else CONVENTIONS)]
    missing = {name: getattr(sidecar, name) for name in names if getattr(declaration, name) is None}
    return replace(declaration, description=declaration.description or sidecar.description, **missing)
