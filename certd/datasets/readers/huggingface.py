"""Sets in folders that Hugging Face's ``datasets`` saved, or that hubs publish; nothing is downloaded."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from certd.datasets.encoded_images import EncodedImages
from certd.datasets.labels import to_labels
from certd.datasets.lazy import numbered
from certd.datasets.preprocessing import OPTIONS, Preprocessing
from certd.datasets.readers.npz import ANY_CLASS
from certd.datasets.readers.parquet import IMAGE_COLUMNS, LABEL_COLUMNS, column_named, open_parquet
from certd.errors import InvalidParameter, NotFound, UnreadableInput

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from certd.datasets.lazy import LazyDataset
    from certd.datasets.uri import DatasetUri

DEFAULT_SPLIT = "test"
SPLIT_NAMED = re.compile(r"(.+)-\d+-of-\d+(?:-[0-9a-f]+)?$|(train|test|validation|valid|val|dev)(?![^-.])")
"""How hubs name files after splits, and what people call splits."""


class ArrowRows:
    """Pictures in the rows of memory-mapped Arrow files: only what is read is in memory.

    Args:
        table: All rows.
        column: Holds a struct with the bytes as its member ``bytes``.
    """

    def __init__(self, table: Any, column: str) -> None:
        self._pictures = table[column]
        self._num_bytes = self._pictures.nbytes
        self._column = column

    def __len__(self) -> int:
        return len(self._pictures)

    def read(self, position: int) -> tuple[str, bytes]:
        """Return a row's number, and its picture."""
        value = self._pictures[position].as_py()
        data = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(data, bytes):
            raise UnreadableInput(
                f"Row {position} holds no picture in the column {self._column!r}; a set that names files "
                "elsewhere must be saved with its pictures embedded."
            )
        return f"row {position}", data

    def identity(self, position: int) -> str:
        """Return a row's number, and the size of all rows."""
        return f"{position} {self._num_bytes}"


def open_huggingface(uri: DatasetUri, path: Path, name: str) -> LazyDataset:
    """Open what ``save_to_disk`` wrote, or a hub's repository with Parquet files.

    Options are ``split`` (``test`` by default, where the folder has several), ``image`` and ``label`` for the
    columns, and those of :class:`certd.datasets.preprocessing.Preprocessing`. No split is taken for another.

    Raises:
        NotFound: If there is no such folder or split, or neither kind of file in it.
        UnreadableInput: If a file is damaged, or its first row is no picture.
        InvalidParameter: If no column holds images, an option is unknown, or a split lies in several folders.
    """
    uri.allow("split", "image", "label", *OPTIONS)
    if not path.is_dir():
        raise NotFound(f"There is no folder {path}. Save the set there first, with datasets' save_to_disk.")
    split = uri.options.get("split")
    files = _arrow_files(_split_folder(path, split))
    return _open_arrow(uri, files, name) if files else open_parquet(uri, _parquet_files(path, split), name)


def _parquet_files(path: Path, split: str | None) -> list[Path]:
    """Return the files of one split; all of a folder where none is asked and no file names its own."""
    files = sorted(path.rglob("*.parquet"))
    wanted = split or DEFAULT_SPLIT
    parts = [file for file in files if _is_of(file, wanted)]
    others = ", ".join(sorted({found for found in map(_split_of, files) if found is not None}))
    if not parts and split is None and not others:
        parts = sorted(path.glob("*.parquet"))
    if not parts:
        raise NotFound(
            f"{path} holds neither a saved data set nor Parquet files of the split {wanted!r}"
            + (f"; say ?split= with one of {others}." if others else ".")
        )
    folders = sorted({part.parent.relative_to(path).as_posix() for part in parts})
    if len(folders) > 1:
        raise InvalidParameter(
            f"{path.name} holds {wanted!r} in {', '.join(folders)}; open one of these folders."
        )
    return parts


def _is_of(file: Path, split: str) -> bool:
    named = _split_of(file)
    return named == split if named is not None else f"{file.stem}-".startswith(f"{split}-")


def _split_of(file: Path) -> str | None:
    """Return the split that a file's name says it is of."""
    named = SPLIT_NAMED.match(file.stem)
    return None if named is None else named[1] or named[2]


def _split_folder(path: Path, split: str | None) -> Path:
    """Return the folder of one split; a saved dictionary of sets lists them, and a set knows its own."""
    listing = path / "dataset_dict.json"
    if not listing.is_file():
        _require_split(path / "state.json", split)
        return path
    splits = _json(listing).get("splits", [])
    wanted = split or DEFAULT_SPLIT
    if wanted not in splits:
        raise NotFound(f"{path.name} has no split {wanted!r}; say ?split= with one of {', '.join(splits)}.")
    return path / wanted


def _require_split(state: Path, split: str | None) -> None:
    saved = _json(state).get("_split") if state.is_file() else None
    # A part of a split is called test[:100].
    if None not in {split, saved} and str(saved).partition("[")[0] != split:
        raise NotFound(f"{state.parent.name} was saved from the split {str(saved)!r}, not from {split!r}.")


def _arrow_files(folder: Path) -> list[Path]:
    state = folder / "state.json"
    if not state.is_file():
        return []
    names = [str(entry.get("filename", "")) for entry in _json(state).get("_data_files", [])]
    if any("/" in name or name.startswith(".") for name in names):
        raise UnreadableInput(f"{state.name} names files outside its folder.")
    return [folder / name for name in names]


def _open_arrow(uri: DatasetUri, files: list[Path], name: str) -> LazyDataset:
    table = pa.concat_tables([_table(file) for file in files])
    image = column_named(table.column_names, uri.options.get("image"), IMAGE_COLUMNS)
    label = column_named(table.column_names, uri.options.get("label"), LABEL_COLUMNS)
    if image is None:
        raise InvalidParameter(
            f"No column holds images; say ?image= with one of {', '.join(table.column_names)}."
        )
    if not len(table):
        raise NotFound(f"{name} has no rows.")
    labels = None if label is None else _labels(table[label].to_numpy())
    names = () if label is None else _class_names(files[0].parent / "dataset_info.json", label)
    return numbered(name, EncodedImages.of(ArrowRows(table, image), Preprocessing.of(uri)), labels, names)


def _table(file: Path) -> Any:
    try:
        with pa.memory_map(str(file)) as source:
            return pa.ipc.open_stream(source).read_all()
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {file}.") from error
    except (pa.ArrowException, OSError) as error:
        raise UnreadableInput(f"{file.name} is no intact Arrow file: {error}.") from error


def _labels(values: NDArray[Any]) -> NDArray[np.int64]:
    return to_labels(np.asarray(values), len(values), ANY_CLASS)


def _class_names(info: Path, label: str) -> tuple[str, ...]:
    feature = _json(info).get("features", {}).get(label, {}) if info.is_file() else {}
    return tuple(str(name) for name in feature.get("names", ()))


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        raise UnreadableInput(f"{path.name} is no JSON: {error}.") from error
    if not isinstance(found, dict):
        raise UnreadableInput(f"{path.name} is no JSON object.")
    return found
