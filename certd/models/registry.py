"""Find a model by its name; needs no torch.

The built-in models are data: each is a JSON sidecar beside its weights. An operator adds others in a YAML
file, and nothing is opened by a name that stands in neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from certd.datasets.registry_file import read_entries
from certd.errors import NotFound, UnreadableInput
from certd.models.ensemble_specification import EnsembleSpecification
from certd.models.mixture_specification import MIXTURE, MixtureSpecification
from certd.models.soup_specification import ENSEMBLE, SOUP, SoupSpecification
from certd.models.specification import ModelSpecification

if TYPE_CHECKING:
    from certd.models.mixing import Mixing
    from certd.models.soup_specification import Soup

Specification = ModelSpecification | MixtureSpecification | SoupSpecification | EnsembleSpecification
BUILTIN_FOLDER = Path(__file__).parent / "builtin"


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered model and the folder that its ``uri`` is relative to."""

    specification: Specification
    folder: Path


def model_names(folder: Path = BUILTIN_FOLDER, *, registry: Path | None = None) -> tuple[str, ...]:
    """Return the names of the models that come with ``folder`` or stand in ``registry``, sorted.

    Raises:
        UnreadableInput: If the registry is malformed.
    """
    registered = () if registry is None else read_registry(registry)
    return tuple(sorted({*_builtin_names(folder), *registered}))


def find_model(
    reference: str, folder: Path = BUILTIN_FOLDER, *, registry: Path | None = None
) -> Specification:
    """Return what is registered under ``name``, or under ``name@sha256:digest`` and unchanged since.

    Args:
        reference: A name, or a name pinned to the digest of its specification.
        folder: Where the sidecars lie.
        registry: The operator's YAML file, if there is one.

    Raises:
        NotFound: If no model has that name, or the one that has it carries another digest.
        UnreadableInput: If the registry is malformed.
    """
    return find_entry(reference, folder, registry).specification


def find_entry(reference: str, folder: Path = BUILTIN_FOLDER, registry: Path | None = None) -> Entry:
    """Return what :func:`find_model` finds, and where its files are."""
    name, _, pin = reference.partition("@")
    entry = _entry(name, folder, registry)
    if entry is None:
        names = ", ".join(model_names(folder, registry=registry)) or "none"
        raise NotFound(f"No model is called {name!r}; there are {names}.")
    if reference not in (name, entry.specification.reference):
        raise NotFound(f"{name} is registered as {entry.specification.reference}, not with {pin!r}.")
    return entry


def read_registry(registry: Path) -> dict[str, Specification]:
    """Return the models that stand in an operator's YAML file, by name, in its order.

    Raises:
        UnreadableInput: If an entry is incomplete, impossible, or has the name of a built-in model.
    """
    models = {name: _specification(name, members) for name, members in read_entries(registry).items()}
    taken = sorted(models.keys() & _builtin_names(BUILTIN_FOLDER))
    if taken:
        raise UnreadableInput(f"{registry.name}: {taken[0]} is the name of a built-in model; choose another.")
    return models


def mixing_of(specification: Specification) -> Mixing | None:
    """Return how a registered mixture is mixed; None for any other model."""
    return specification.mixture if isinstance(specification, MixtureSpecification) else None


def soup_of(specification: Specification) -> Soup | None:
    """Return what a registered soup averages; None for any other model."""
    return specification.soup if isinstance(specification, SoupSpecification) else None


def parts_of(specification: Specification) -> tuple[str, ...]:
    """Return the references of the models that another is made of: a mixture, a soup or an ensemble."""
    if isinstance(specification, EnsembleSpecification):
        return specification.ensemble
    mixing, soup = mixing_of(specification), soup_of(specification)
    if mixing is not None:
        return mixing.standard, mixing.robust
    return () if soup is None else soup.ingredients


def _entry(name: str, folder: Path, registry: Path | None) -> Entry | None:
    if name in _builtin_names(folder):
        sidecar = (folder / f"{name}.json").read_bytes()
        return Entry(ModelSpecification.model_validate_json(sidecar), folder)
    if registry is None:
        return None
    specification = read_registry(registry).get(name)
    return None if specification is None else Entry(specification, registry.parent)


def _builtin_names(folder: Path) -> set[str]:
    return {sidecar.stem for sidecar in folder.glob("*.json")}


def _specification(name: str, members: dict[str, Any]) -> Specification:
    kind: type[Specification] = ModelSpecification
    if MIXTURE in members:
        kind = MixtureSpecification
    elif SOUP in members:
        kind = SoupSpecification
    elif ENSEMBLE in members:
        kind = EnsembleSpecification
    try:
        return kind.model_validate({"name": name, **members})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        member = ".".join(str(part) for part in first["loc"]) or "entry"
        raise UnreadableInput(f"Model {name!r} cannot be registered: {member}: {first['msg']}.") from error
