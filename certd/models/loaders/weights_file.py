"""A file of weights, taken only if it is the one that was registered."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from certd.errors import DigestMismatch, NotFound

if TYPE_CHECKING:
    from pathlib import Path


def read_weights(path: Path, sha256: str) -> bytes:
    """Return the content of ``path``, having checked its digest.

    The bytes that are hashed are the bytes that are used; the file is read once.

    Raises:
        NotFound: If there is no such file.
        DigestMismatch: If the file's SHA-256 is not ``sha256``.
    """
    data = read_file(path)
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise DigestMismatch(
            f"{path.name} has SHA-256 {found}, but {sha256} is registered; restore the file, or register it "
            "again if it was meant to change."
        )
    return data


def read_file(path: Path) -> bytes:
    """Return the content of ``path``, whatever it is.

    Raises:
        NotFound: If there is no such file.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotFound(f"There is no file {path.name} where the model should be; restore it.") from error
