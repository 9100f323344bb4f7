"""A store in a folder of this machine, or of a network that keeps rename and hard links whole.

Every file is written under a temporary name, synced and renamed, so a writer that dies leaves only a
temporary file behind.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from certd.errors import StorageAway, StorageFull

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DRAFT = ".new-"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def _answering() -> Iterator[None]:
    """Tell a folder that is full or does not answer from one that says what is there and what is not."""
    try:
        yield
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError as error:
        if error.errno is None:
            # A library's word on a file's content, not the system's on the file.
            raise
        if error.errno in FULL:
            raise StorageFull(
                f"Storage is full ({error.strerror}). Delete jobs or enlarge it, then try again; nothing of "
                "this was stored, and nothing else was lost."
            ) from error
        raise StorageAway(
            f"The folder of jobs does not answer as it should ({error.strerror}). Nothing is lost; try again "
            "in a moment."
        ) from error


class FolderStore:
    """Files below ``root``.

    Args:
        root: Made if it is not there.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        _make_folder(root)

    def __repr__(self) -> str:
        return f"folder {self._root}"

    @_answering()
    def read(self, name: str) -> bytes:
        """Return what lies under ``name``; see :class:`certd.storage.store.Store` for this and the rest."""
        return self._path(name).read_bytes()

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open what lies under ``name``."""
        with _answering(), self._path(name).open("rb") as stream:
            yield stream

    def write(self, name: str, content: bytes) -> None:
        """Replace what lies under ``name``."""
        with self.writing(name) as stream:
            stream.write(content)

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """Open a temporary file that takes the place of ``name`` once it is complete and synced."""
        path = self._path(name)
        draft = _draft_name(path)
        with _answering():
            try:
                _make_folder(path.parent)
                with draft.open("wb") as stream:
                    yield stream
                    stream.flush()
                    os.fsync(stream.fileno())
                draft.replace(path)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
            _sync(path.parent)

    @_answering()
    def create(self, name: str, content: bytes) -> bool:
        """Write ``name`` unless it is there."""
        path = self._path(name)
        draft = _draft_name(path)
        try:
            _make_folder(path.parent)
            with draft.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            # A hard link fails where the name exists: of two that write at once, one wins.
            path.hardlink_to(draft)
        except FileExistsError:
            return False
        finally:
            draft.unlink(missing_ok=True)
        _sync(path.parent)
        return True

    @_answering()
    def exists(self, name: str) -> bool:
        """Return whether there is such a file."""
        return self._path(name).is_file()

    @_answering()
    def children(self, folder: str) -> list[str]:
        """Return what lies directly in ``folder``, drafts left out."""
        try:
            found = os.listdir(self._path(folder))  # noqa: PTH208 - ten thousand jobs are listed every second
        except FileNotFoundError:
            return []
        return [name for name in found if not name.startswith(DRAFT)]

    @_answering()
    def modified_at(self, name: str) -> float:
        """Return when ``name`` was written."""
        return self._path(name).stat().st_mtime

    @_answering()
    def remove(self, name: str) -> None:
        """Remove one file."""
        self._path(name).unlink(missing_ok=True)

    @_answering()
    def remove_folder(self, folder: str) -> None:
        """Remove ``folder``: it disappears in one step, and what it held after that."""
        path = self._path(folder)
        doomed = _draft_name(path)
        try:
            path.rename(doomed)
        except FileNotFoundError:
            return
        _sync(path.parent)
        shutil.rmtree(doomed, ignore_errors=True)

    def _path(self, name: str) -> Path:
        return self._root / name


def _draft_name(path: Path) -> Path:
    """Return a temporary name beside ``path``."""
    return path.with_name(f"{DRAFT}{os.getpid()}-{os.urandom(6).hex()}")


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, each synced, so that what is put into it is not lost with it."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
