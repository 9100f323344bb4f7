"""Find a data set by its name.

Some sets come with certd; an operator adds others in a YAML file::

    cifar10-test:
      uri: torchvision:cifar10?root=/data&split=test

A name is all that a request may give: no path is ever opened because a request named it.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, overload

from pydantic import BaseModel, ConfigDict, ValidationError

from certd.datasets.digits import held_out_digits, training_digits
from certd.datasets.reading import read_dataset
from certd.datasets.registry_file import read_entries
from certd.errors import NotFound, UnreadableInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from certd.datasets.dataset import Dataset
    from certd.datasets.lazy import LazyDataset

READERS: Mapping[str, Callable[[], Dataset]] = MappingProxyType(
    {"digits": held_out_digits, "digits-train": training_digits}
)
_ABOUT = {
    "digits": "360 held-out 8x8 handwritten digits of scikit-learn",
    "digits-train": "The 1437 digits that the built-in model was trained on",
}


class DatasetSpecification(BaseModel):
    """A registry entry.

    Attributes:
        uri: ``scheme:path?options``; a relative path is relative to the registry.
        description: One line for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: str
    description: str = ""


def dataset_names(*, registry: Path | None = None) -> tuple[str, ...]:
    """Return the names that :func:`load_dataset` knows, sorted.

    Raises:
        UnreadableInput: If the registry is malformed.
    """
    return tuple(sorted({*READERS, *(() if registry is None else read_registered(registry))}))


def describe_datasets(*, registry: Path | None = None) -> dict[str, str]:
    """Return what :func:`load_dataset` knows: names, and a line about each.

    Raises:
        UnreadableInput: If the registry is malformed.
    """
    registered = {} if registry is None else read_registered(registry)
    return {**_ABOUT, **{name: entry.description for name, entry in registered.items()}}


@overload
def load_dataset(name: str) -> Dataset: ...
@overload
def load_dataset(name: str, *, registry: Path | None) -> Dataset | LazyDataset: ...
def load_dataset(name: str, *, registry: Path | None = None) -> Dataset | LazyDataset:
    """Open the whole set called ``name``.

    Args:
        name: A name that comes with certd, or that stands in ``registry``; never a path.
        registry: The operator's YAML file, if there is one.

    Raises:
        NotFound: If no set has that name; the message lists those that exist.
        UnreadableInput: If the registry, or the set that it names, is malformed.
        Unavailable: If the set needs a package that is not installed.
    """
    if name in READERS:
        return READERS[name]()
    registered = {} if registry is None else read_registered(registry)
    if registry is None or name not in registered:
        names = ", ".join(dataset_names(registry=registry))
        raise NotFound(f"No data set is called {name!r}; there are {names}.")
    return read_dataset(registered[name].uri, name, registry.parent)


def read_registered(registry: Path) -> dict[str, DatasetSpecification]:
    """Return the sets that stand in an operator's YAML file, by name, in its order.

    Raises:
        UnreadableInput: If an entry is malformed, or has the name of a built-in set.
    """
    sets = {name: _specification(name, members) for name, members in read_entries(registry).items()}
    taken = sorted(sets.keys() & READERS.keys())
    if taken:
        raise UnreadableInput(f"{registry.name}: {taken[0]} is the name of a built-in set; choose another.")
    return sets


def _specification(name: str, members: dict[str, object]) -> DatasetSpecification:
    try:
        return DatasetSpecification.model_validate(members)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        member = ".".join(str(part) for part in first["loc"])
        raise UnreadableInput(f"Data set {name!r} cannot be registered: {member}: {first['msg']}.") from error
