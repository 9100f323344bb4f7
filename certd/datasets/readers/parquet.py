"""Sets in Parquet files with one encoded picture a row, as hubs publish them."""

from __future__ import annotations

import json
import threading
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from certd.datasets.encoded_images import EncodedImages
from certd.datasets.labels import to_labels
from certd.datasets.lazy import numbered
from certd.datasets.preprocessing import OPTIONS, Preprocessing
from certd.datasets.readers.npz import ANY_CLASS
from certd.errors import InvalidParameter, NotFound, UnreadableInput

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from certd.datasets.lazy import LazyDataset
    from certd.datasets.uri import DatasetUri

IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "labels", "fine_label")


class RowGroups:
    """Pictures in the rows of Parquet files; one row group is held at a time, so read them in order.

    May be shared by threads: one reads at a time, for Arrow's readers crash where two do.

    Args:
        files: The open files, in order.
        column: Holds the bytes, or a struct with the bytes as a member ``bytes``.
    """

    def __init__(self, files: list[pq.ParquetFile], column: str) -> None:
        self._column = column
        self._groups = [(file, group) for file in files for group in range(file.metadata.num_row_groups)]
        sizes = [file.metadata.row_group(group).num_rows for file, group in self._groups]
        self._starts = [0, *accumulate(sizes)]
        self._held: tuple[int, Any] = (-1, None)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return int(self._starts[-1])

    def read(self, position: int) -> tuple[str, bytes]:
        """Return a row's number, and its picture."""
        value = self._value(position)
        data = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(data, bytes):
            raise UnreadableInput(f"Row {position} holds no picture in the column {self._column!r}.")
        return f"row {position}", data

    def _value(self, position: int) -> Any:
        index = self._group(position)
        with self._lock:
            if self._held[0] != index:
                file, group = self._groups[index]
                self._held = (index, file.read_row_group(group, columns=[self._column])[self._column])
            return self._held[1][position - self._starts[index]].as_py()

    def identity(self, position: int) -> str:
        """Return a row's number in its group, and the size of the group."""
        index = self._group(position)
        file, group = self._groups[index]
        return f"{position - self._starts[index]} {file.metadata.row_group(group).total_byte_size}"

    def _group(self, position: int) -> int:
        return int(np.searchsorted(self._starts, position, side="right")) - 1


def parquet_files(path: Path) -> list[Path]:
    """Return a file, or the ``*.parquet`` files of a folder sorted by name.

    Raises:
        NotFound: If there is none in the folder.
    """
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise NotFound(f"There is no .parquet file in {path}.")
    return files


def open_parquet(uri: DatasetUri, paths: list[Path], name: str) -> LazyDataset:
    """List the rows of files.

    The columns are ``image`` and ``label``, or those that ``?image=`` and ``?label=`` name.

    Raises:
        NotFound: If there is no such file.
        UnreadableInput: If one is damaged, or its first row is no picture.
        InvalidParameter: If no column holds images, or an option is unknown.
    """
    uri.allow("image", "label", *(("split",) if uri.scheme == "hf" else ()), *OPTIONS)
    files = [_file(part) for part in paths]
    columns = files[0].schema_arrow.names
    image = column_named(columns, uri.options.get("image"), IMAGE_COLUMNS)
    label = column_named(columns, uri.options.get("label"), LABEL_COLUMNS)
    if image is None:
        raise InvalidParameter(f"No column holds images; say ?image= with one of {', '.join(columns)}.")
    rows = RowGroups(files, image)
    if not len(rows):
        raise NotFound(f"{name} has no rows.")
    labels = None if label is None else _labels(files, label)
    names = () if label is None else _class_names(files[0], label)
    return numbered(name, EncodedImages.of(rows, Preprocessing.of(uri)), labels, names)


def _file(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}.") from error
    except (pa.ArrowException, OSError) as error:
        raise UnreadableInput(f"{path.name} is no intact Parquet file: {error}.") from error


def column_named(columns: list[str], stated: str | None, usual: tuple[str, ...]) -> str | None:
    """Return the column that was stated, or the first of the usual ones that is there; None for neither.

    Raises:
        InvalidParameter: If the stated one is not there.
    """
    if stated is not None and stated not in columns:
        raise InvalidParameter(f"There is no column {stated!r}; there are {', '.join(columns)}.")
    return stated or next((column for column in usual if column in columns), None)


def _labels(files: list[pq.ParquetFile], column: str) -> NDArray[np.int64]:
    labels = np.concatenate([file.read(columns=[column])[column].to_numpy() for file in files])
    return to_labels(labels, len(labels), ANY_CLASS)


def _class_names(file: pq.ParquetFile, column: str) -> tuple[str, ...]:
    """Return the names that Hugging Face's ``datasets`` writes into the schema, if it wrote the file."""
    metadata = json.loads((file.schema_arrow.metadata or {}).get(b"huggingface", b"{}"))
    feature = metadata.get("info", {}).get("features", {}).get(column, {})
    return tuple(str(name) for name in feature.get("names", ()))
