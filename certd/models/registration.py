"""Add models to an operator's registry and take them out again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.datasets.registry_file import add_entry, remove_entry
from certd.errors import Conflict, NotFound
from certd.models.registry import BUILTIN_FOLDER, model_names, parts_of, read_registry

if TYPE_CHECKING:
    from pathlib import Path

    from certd.models.registry import Specification


def list_models(registry: Path) -> tuple[Specification, ...]:
    """Return the models in ``registry``, in its order; the built-in ones are not among them."""
    return tuple(read_registry(registry).values())


def register_model(registry: Path, specification: Specification) -> None:
    """Add a model to the YAML file ``registry``, which is made if there is none.

    The file is replaced in one step and keeps its comments. A name is never overwritten: jobs pin digests,
    and a reader must not find another classifier under the name he knows.

    Raises:
        Conflict: If the name is taken, or the file is not laid out as one block an entry.
    """
    names = model_names(BUILTIN_FOLDER, registry=registry if registry.exists() else None)
    if specification.name in names:
        raise Conflict(f"{specification.name} is registered already; remove it or choose another name.")
    members = specification.model_dump(mode="json", exclude={"name"}, exclude_none=True)
    add_entry(registry, specification.name, members)


def unregister_model(registry: Path, name: str, *, force: bool = False) -> None:
    """Take a model out of ``registry``; its weights stay where they are.

    Args:
        registry: The operator's YAML file.
        name: Name of the model.
        force: Remove it also where a mixture or a soup is made of it; that one can no longer be loaded.

    Raises:
        NotFound: If the registry does not hold it. Built-in models cannot be removed.
        Conflict: If another model is made of it, or the file is not laid out as one block an entry.
    """
    models = read_registry(registry)
    if name not in models:
        raise NotFound(f"{registry.name} holds no model {name!r}.")
    users = [
        other.name
        for other in models.values()
        if any(part.partition("@")[0] == name for part in parts_of(other))
    ]
    if users and not force:
        raise Conflict(f"{', '.join(users)} cannot be loaded without {name}; remove that first, or force it.")
    remove_entry(registry, name)
