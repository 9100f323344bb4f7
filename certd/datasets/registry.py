"""Find a data set by its name."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from certd.datasets.digits import held_out_digits, training_digits
from certd.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from certd.datasets.dataset import Dataset

READERS: Mapping[str, Callable[[], Dataset]] = MappingProxyType(
    {"digits": held_out_digits, "digits-train": training_digits}
)


def dataset_names() -> tuple[str, ...]:
    """Return the names that :func:`load_dataset` knows, sorted."""
    return tuple(sorted(READERS))


def load_dataset(name: str) -> Dataset:
    """Read the whole set called ``name``.

    Raises:
        NotFound: If no set has that name; the message lists those that exist.
        Unavailable: If the set needs a package that is not installed.
    """
    if name not in READERS:
        raise NotFound(f"No data set is called {name!r}; there are {', '.join(dataset_names())}.")
    return READERS[name]()
