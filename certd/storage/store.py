"""What a store can do: little enough that a folder and a bucket can both promise it."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class Store(Protocol):
    """Bytes under names of parts joined by ``/``; a folder is what names have in common.

    A reader sees the whole of what was written under a name, or nothing; what is written survives the process
    that wrote it. A name is made by this program, never by who asks it.

    A store that does not answer is never taken for an empty one: then each of these raises ``StorageAway``.
    What writes raises ``StorageFull`` where there is no room.
    """

    def read(self, name: str) -> bytes:
        """Return what lies under ``name``.

        Raises:
            FileNotFoundError: If nothing does.
        """
        ...

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open what lies under ``name`` for reading; it can be sought in.

        Raises:
            FileNotFoundError: If nothing does.
        """
        ...

    def write(self, name: str, content: bytes) -> None:
        """Put ``content`` under ``name``, in place of what lay there."""
        ...

    def writing(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a stream whose content comes to lie under ``name`` if the block ends well, else never."""
        ...

    def create(self, name: str, content: bytes) -> bool:
        """Put ``content`` under ``name`` unless something lies there: of those who try at once, one wins.

        Returns:
            Whether this call did.
        """
        ...

    def exists(self, name: str) -> bool:
        """Return whether something lies under ``name``."""
        ...

    def children(self, folder: str) -> list[str]:
        """Return the last parts of all names and folders directly in ``folder``, in no order."""
        ...

    def modified_at(self, name: str) -> float:
        """Return the Unix time at which ``name`` was written.

        Raises:
            FileNotFoundError: If nothing lies there.
        """
        ...

    def remove(self, name: str) -> None:
        """Remove what lies under ``name``, if anything does."""
        ...

    def remove_folder(self, folder: str) -> None:
        """Remove all that lies in ``folder``, if anything does."""
        ...
