"""Uploads: a file that is sent once and certified as often as one likes."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, BinaryIO

from certd.errors import NotFound, TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certd.storage import Store

UPLOADS = "uploads"
ID_PATTERN = r"^upl_[0-9a-f]{32}$"
LIFETIME_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Upload:
    """A stored file.

    Attributes:
        id: By which jobs name it.
        name: As its sender called it; only ever printed.
        size: In bytes.
        sha256: Of its content.
        owner: Whose it is; None where there were no keys.
        made_at: Unix time.
    """

    id: str
    name: str
    size: int
    sha256: str
    owner: str | None
    made_at: float

    @property
    def expires_at(self) -> float:
        """Return the Unix time after which it may be gone; jobs that were made from it keep their images."""
        return self.made_at + LIFETIME_SECONDS


class Draft:
    """A file in the making; ``upload`` is what is known about it once it is stored."""

    def __init__(self, stream: BinaryIO, max_bytes: int) -> None:
        self._stream = stream
        self._max_bytes = max_bytes
        self._digest = hashlib.sha256()
        self.size = 0
        self.upload: Upload | None = None

    @property
    def sha256(self) -> str:
        """Return the digest of what was written."""
        return self._digest.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Append to the file.

        Raises:
            TooLarge: If that makes it too long.
        """
        self.size += len(chunk)
        if self.size > self._max_bytes:
            raise TooLarge(
                f"An upload may hold {self._max_bytes:,} bytes; this one is larger.",
                max_body_bytes=self._max_bytes,
            )
        self._digest.update(chunk)
        self._stream.write(chunk)


class UploadStore:
    """The uploads in a store: two names an upload, its content first and what is known about it last.

    Args:
        store: Where they lie.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @contextmanager
    def draft(self, name: str, owner: str | None, max_bytes: int) -> Iterator[Draft]:
        """Open a file to be written as its content comes; it is kept only if the block ends well.

        Args:
            name: As its sender calls it.
            owner: Whose it is.
            max_bytes: How long it may become.
        """
        upload_id = f"upl_{secrets.token_hex(16)}"
        with self._store.writing(f"{UPLOADS}/{upload_id}") as stream:
            draft = Draft(stream, max_bytes)
            yield draft
        draft.upload = Upload(upload_id, name, draft.size, draft.sha256, owner, time.time())
        self._store.write(_about(upload_id), json.dumps(asdict(draft.upload)).encode())

    def find(self, upload_id: str) -> Upload:
        """Return what is known about an upload.

        Raises:
            NotFound: If there is none of that id, or it has expired.
        """
        # Looked at before any name is made of it: an id comes from whoever asks.
        if re.fullmatch(ID_PATTERN, upload_id) and self._store.exists(_about(upload_id)):
            upload = Upload(**json.loads(self._store.read(_about(upload_id))))
            if time.time() < upload.expires_at:
                return upload
        raise NotFound(f"There is no upload {upload_id!r}; uploads are kept for a day.")

    def everything(self) -> Iterator[Upload]:
        """Yield what has not expired."""
        for name in self._store.children(UPLOADS):
            if name.endswith(".json"):
                with suppress(NotFound, FileNotFoundError):
                    yield self.find(name.removesuffix(".json"))

    def remove(self, upload_id: str) -> None:
        """Delete an upload, what is known about it first; jobs that were made from it keep their images.

        Raises:
            NotFound: If there is none of that id, or it has expired.
        """
        self.find(upload_id)
        self._store.remove(_about(upload_id))
        self._store.remove(f"{UPLOADS}/{upload_id}")

    def read(self, upload_id: str) -> bytes:
        """Return an upload's content.

        Raises:
            NotFound: If there is none of that id, or it has expired.
        """
        self.find(upload_id)
        return self._store.read(f"{UPLOADS}/{upload_id}")

    def expire(self) -> int:
        """Delete what is older than a day, halves of broken uploads too; return how many files that were."""
        deadline = time.time() - LIFETIME_SECONDS
        names = [f"{UPLOADS}/{name}" for name in self._store.children(UPLOADS)]
        old = [name for name in names if self._store.modified_at(name) < deadline]
        for name in old:
            self._store.remove(name)
        return len(old)


def _about(upload_id: str) -> str:
    return f"{UPLOADS}/{upload_id}.json"
