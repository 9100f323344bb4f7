"""Sets in uncompressed tar files, as WebDataset writes them."""

from __future__ import annotations

import tarfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from certd.datasets.encoded_images import SUFFIXES, EncodedImages
from certd.datasets.lazy import numbered
from certd.datasets.preprocessing import OPTIONS, Preprocessing
from certd.errors import NotFound, UnreadableInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certd.datasets.lazy import LazyDataset
    from certd.datasets.uri import DatasetUri

LABEL_SUFFIX = ".cls"
MAX_LABEL_BYTES = 20


@dataclass(frozen=True, slots=True)
class Member:
    """A picture inside a tar file, and the label stored beside it."""

    archive: Path
    name: str
    offset: int
    num_bytes: int
    label: int | None


@dataclass(frozen=True, slots=True)
class Members:
    """Pictures inside tar files, in their order; each is read by seeking, nothing is unpacked."""

    members: tuple[Member, ...]

    def __len__(self) -> int:
        return len(self.members)

    def read(self, position: int) -> tuple[str, bytes]:
        """Return a member's name, and its content."""
        member = self.members[position]
        with member.archive.open("rb") as stream:
            stream.seek(member.offset)
            return member.name, stream.read(member.num_bytes)

    def identity(self, position: int) -> str:
        """Return a member's name and size, and the size of its archive as long as it is there."""
        member = self.members[position]
        with suppress(FileNotFoundError):
            return f"{member.name} {member.num_bytes} {member.archive.stat().st_size}"
        return "gone"


def open_wds(uri: DatasetUri, path: Path, name: str) -> LazyDataset:
    """List the pictures of a tar file, or of the ``*.tar`` files of a folder sorted by name.

    A picture ``key.jpg`` has the label in ``key.cls``, decimal digits; either all have one or none.

    Raises:
        NotFound: If there is no such file, or no picture in it.
        UnreadableInput: If a file is compressed or damaged, or only some pictures have labels.
    """
    uri.allow(*OPTIONS)
    archives = sorted(path.glob("*.tar")) if path.is_dir() else [path]
    members = tuple(member for archive in archives for member in _members(archive))
    if not members:
        raise NotFound(f"There is no PNG, JPEG or WebP file in {path}.")
    labels = [member.label for member in members if member.label is not None]
    if labels and len(labels) != len(members):
        raise UnreadableInput(f"{len(members) - len(labels)} of {len(members)} pictures have no .cls member.")
    images = EncodedImages.of(Members(members), Preprocessing.of(uri))
    return numbered(name, images, np.array(labels, dtype=np.int64) if labels else None)


def _members(archive: Path) -> Iterator[Member]:
    try:
        with tarfile.open(archive, "r:") as tar:
            files = _files(tar, archive.name)
            labels = {_key(info): _label(tar, info) for info in files if info.name.endswith(LABEL_SUFFIX)}
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {archive}.") from error
    except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError, RecursionError) as error:
        raise UnreadableInput(f"{archive.name} is no intact, uncompressed tar file: {error}.") from error
    for info in files:
        if PurePosixPath(info.name).suffix.lower() in SUFFIXES:
            yield Member(archive, info.name, info.offset_data, info.size, labels.get(_key(info)))


def _files(tar: tarfile.TarFile, name: str) -> list[tarfile.TarInfo]:
    """Return the files of an archive, each of another name and beyond the one before it."""
    files: dict[str, tarfile.TarInfo] = {}
    before = 0
    for info in tar:
        if info.size < 0 or info.offset_data <= before:
            raise UnreadableInput(f"{name} is no intact tar file: {info.name!r} leads back into it.")
        before = info.offset_data
        if info.isfile() and info.name in files:
            raise UnreadableInput(f"{name} holds {info.name!r} twice; give each file a name of its own.")
        if info.isfile():
            files[info.name] = info
    return list(files.values())


def _key(info: tarfile.TarInfo) -> str:
    return str(PurePosixPath(info.name).with_suffix(""))


def _label(tar: tarfile.TarFile, info: tarfile.TarInfo) -> int:
    stream = tar.extractfile(info)
    text = b"" if stream is None else stream.read(MAX_LABEL_BYTES + 1).strip()
    if not text.isdigit() or len(text) > MAX_LABEL_BYTES - 2:
        raise UnreadableInput(f"{info.name!r} holds no class number.")
    return int(text)
