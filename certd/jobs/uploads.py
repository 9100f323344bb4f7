"""Uploads: a file that is sent once and certified as often as one likes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, BinaryIO

from certd.errors import NotFound, TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
    """The folder ``root/uploads``: two files an upload, its content first and what is known about it last.

    Args:
        root: The data folder.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / "uploads"
        self._folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def draft(self, name: str, owner: str | None, max_bytes: int) -> Iterator[Draft]:
        """Open a file to be written as its content comes; it is kept only if the block ends well.

        Args:
            name: As its sender calls it.
            owner: Whose it is.
            max_bytes: How long it may become.
        """
        upload_id = f"upl_{secrets.token_hex(16)}"
        content = self._folder / upload_id
        try:
            with content.open("xb") as stream:
                draft = Draft(stream, max_bytes)
                yield draft
                stream.flush()
                os.fsync(stream.fileno())
            draft.upload = Upload(upload_id, name, draft.size, draft.sha256, owner, time.time())
            self._about(upload_id).write_text(json.dumps(asdict(draft.upload)))
        except BaseException:
            content.unlink(missing_ok=True)
            raise

    def find(self, upload_id: str) -> Upload:
        """Return what is known about an upload.

        Raises:
            NotFound: If there is none of that id, or it has expired.
        """
        # Looked at before any file is: an id comes from whoever asks.
        if re.fullmatch(ID_PATTERN, upload_id) and self._about(upload_id).is_file():
            upload = Upload(**json.loads(self._about(upload_id).read_text()))
            if time.time() < upload.expires_at:
                return upload
        raise NotFound(f"There is no upload {upload_id!r}; uploads are kept for a day.")

    def read(self, upload_id: str) -> bytes:
        """Return an upload's content.

        Raises:
            NotFound: If there is none of that id, or it has expired.
        """
        self.find(upload_id)
        return (self._folder / upload_id).read_bytes()

    def expire(self) -> int:
        """Delete what is older than a day, halves of broken uploads too; return how many files that were."""
        deadline = time.time() - LIFETIME_SECONDS
        old = [path for path in self._folder.iterdir() if path.stat().st_mtime < deadline]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def _about(self, upload_id: str) -> Path:
        return self._folder / f"{upload_id}.json"
