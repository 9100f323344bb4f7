"""Open a data set by name or by path: for the command line and for notebooks, never for a request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from certd.datasets.reading import read_dataset
from certd.datasets.registry import load_dataset

if TYPE_CHECKING:
    from certd.datasets.dataset import Dataset
    from certd.datasets.lazy import LazyDataset


def open_dataset(
    reference: str, *, registry: Path | None = None, folder: Path | None = None
) -> Dataset | LazyDataset:
    """Return a registered set, or the one at ``scheme:path``, which then is its name.

    Args:
        reference: A registered name, or a URI as :func:`certd.datasets.reading.read_dataset` takes it.
        registry: The operator's YAML file, if there is one.
        folder: What a relative path is relative to; None for the working directory.

    Raises:
        CertdError: As :func:`certd.datasets.load_dataset` and ``read_dataset`` do.
    """
    if ":" in reference:
        return read_dataset(reference, reference, folder or Path())
    return load_dataset(reference, registry=registry)
