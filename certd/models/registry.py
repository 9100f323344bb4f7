"""Find a model by its name; needs no torch.

The built-in models are data: each is a JSON sidecar beside its weights.
"""

from __future__ import annotations

from pathlib import Path

from certd.errors import NotFound
from certd.models.specification import ModelSpecification

BUILTIN_FOLDER = Path(__file__).parent / "builtin"


def model_names(folder: Path = BUILTIN_FOLDER) -> tuple[str, ...]:
    """Return the names of the models registered in ``folder``, sorted."""
    return tuple(sorted(sidecar.stem for sidecar in folder.glob("*.json")))


def find_model(reference: str, folder: Path = BUILTIN_FOLDER) -> ModelSpecification:
    """Return what is registered under ``name``, or under ``name@sha256:digest`` and unchanged since.

    Args:
        reference: A name, or a name pinned to the digest of its specification.
        folder: Where the sidecars lie.

    Raises:
        NotFound: If no model has that name, or the one that has it carries another digest.
    """
    name, _, pin = reference.partition("@")
    if name not in model_names(folder):
        raise NotFound(f"No model is called {name!r}; there are {', '.join(model_names(folder)) or 'none'}.")
    specification = ModelSpecification.model_validate_json((folder / f"{name}.json").read_bytes())
    if reference not in (name, specification.reference):
        raise NotFound(f"{name} is registered as {specification.reference}, not with {pin!r}.")
    return specification
