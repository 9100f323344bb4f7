"""Read a data set from where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.datasets.readers.binary import open_torchvision, root_of
from certd.datasets.readers.folder import open_folder
from certd.datasets.readers.huggingface import open_huggingface
from certd.datasets.readers.npz import open_npz
from certd.datasets.readers.parquet import open_parquet, parquet_files
from certd.datasets.readers.tar import open_wds
from certd.datasets.uri import DatasetUri
from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from pathlib import Path

    from certd.datasets.dataset import Dataset
    from certd.datasets.lazy import LazyDataset

SCHEMES = ("folder", "hf", "npz", "parquet", "torchvision", "wds")


def read_dataset(uri: str, name: str, folder: Path) -> Dataset | LazyDataset:
    """Open a data set; small formats are read whole, large ones when they are indexed.

    Args:
        uri: ``scheme:path?options``.
        name: What certificates call the set.
        folder: What a relative path is relative to.

    Raises:
        InvalidParameter: If the scheme or an option is unknown.
        NotFound: If there is nothing at the path.
        UnreadableInput: If what is there is not what the scheme says.
        Unavailable: If a package that the format needs is not installed.
    """
    parsed = DatasetUri.parse(uri)
    match parsed.scheme:
        case "npz":
            return open_npz(parsed, folder / parsed.path, name)
        case "folder":
            return open_folder(parsed, folder / parsed.path, name)
        case "parquet":
            return open_parquet(parsed, parquet_files(folder / parsed.path), name)
        case "hf":
            return open_huggingface(parsed, folder / parsed.path, name)
        case "wds":
            return open_wds(parsed, folder / parsed.path, name)
        case "torchvision":
            return open_torchvision(parsed, folder / root_of(parsed), name)
        case _:
            raise InvalidParameter(
                f"{parsed.scheme}: is no format of data sets; there are {', '.join(SCHEMES)}."
            )
