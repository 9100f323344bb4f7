"""Sets in folders: one folder a class, as ImageNet is kept."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from certd.datasets.encoded_images import SUFFIXES, EncodedImages
from certd.datasets.lazy import numbered
from certd.datasets.preprocessing import OPTIONS, Preprocessing
from certd.errors import InvalidParameter, NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from certd.datasets.lazy import LazyDataset
    from certd.datasets.uri import DatasetUri


@dataclass(frozen=True, slots=True)
class Files:
    """Files of a folder, in a fixed order."""

    root: Path
    paths: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, position: int) -> tuple[str, bytes]:
        """Return a file's name below the folder, and its content."""
        path = self.paths[position]
        return path.relative_to(self.root).as_posix(), path.read_bytes()

    def identity(self, position: int) -> str:
        """Return a file's name below the folder, and its size as long as it is there."""
        path = self.paths[position]
        with suppress(FileNotFoundError):
            return f"{path.relative_to(self.root).as_posix()} {path.stat().st_size}"
        return "gone"


def open_folder(uri: DatasetUri, path: Path, name: str) -> LazyDataset:
    """List ``CLASS/.../picture`` files; no picture but the first is read.

    Classes are numbered in the order of their folders' names, and images are ordered by class and then by
    name, as torchvision's ``ImageFolder`` does. A folder without folders is an unlabelled set.

    Options are ``order``, and those of :class:`certd.datasets.preprocessing.Preprocessing`: pictures are
    neither resized nor turned from grey to RGB unless these say so.

    Raises:
        NotFound: If there is no such folder, or no picture in one of its classes.
        InvalidParameter: If the classes are numbers in another order than their names; ``?order=`` decides.
        UnreadableInput: If the first picture is damaged.
    """
    uri.allow("order", *OPTIONS)
    if not path.is_dir():
        raise NotFound(f"There is no folder {path}.")
    classes = _classes(path, uri)
    groups = [_pictures(folder) for folder in classes or [path]]
    labels = np.repeat(np.arange(len(groups), dtype=np.int64), [len(group) for group in groups])
    files = Files(path, tuple(picture for group in groups for picture in group))
    images = EncodedImages.of(files, Preprocessing.of(uri))
    return numbered(name, images, labels if classes else None, tuple(folder.name for folder in classes))


def _classes(path: Path, uri: DatasetUri) -> list[Path]:
    folders = [entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    by_name = sorted(folders, key=lambda folder: folder.name)
    if not all(folder.name.isdecimal() for folder in folders):
        return by_name
    by_number = sorted(folders, key=lambda folder: (int(folder.name), folder.name))
    if by_name != by_number and "order" not in uri.options:
        raise InvalidParameter(
            f"The classes of {path.name} are numbers, and their names sort otherwise (10 before 2): say "
            "?order=number, or ?order=name if the model was trained with torchvision's ImageFolder."
        )
    return by_number if uri.choice("order", "name", "number") == "number" else by_name


def _pictures(folder: Path) -> list[Path]:
    pictures = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not pictures:
        raise NotFound(f"There is no PNG, JPEG or WebP file in {folder}.")
    return pictures
