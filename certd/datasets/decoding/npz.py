"""Arrays in ``.npz`` archives: ``images``, and ``labels`` where they are known."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certd.datasets.decoding.npy import read_npy
from certd.errors import UnreadableInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from certd.datasets.decoding.limits import DecodingLimits

MEMBERS = frozenset({"images.npy", "labels.npy"})
ENCRYPTED = 0x1
DIRECTORY_ENTRY = b"PK\x01\x02"
MAX_DIRECTORY_ENTRIES = 16
"""More than the two that are allowed, since pixels may happen to spell the signature."""
METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
ZIP_ERRORS = (
    zipfile.BadZipFile, zlib.error, struct.error, RuntimeError, EOFError, OSError, ValueError, OverflowError,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class ArrayFile:
    """What an archive holds, as it was saved.

    Attributes:
        images: Pixels; :func:`certd.datasets.to_images` checks their shape and range.
        labels: Classes; :func:`certd.datasets.to_labels` checks them. None if the archive has none.
    """

    images: NDArray[Any]
    labels: NDArray[Any] | None


def read_npz(data: bytes, name: str, limits: DecodingLimits) -> ArrayFile:
    """Return the arrays in an ``.npz`` archive.

    Members, methods, sizes and expansion are checked in the directory before anything is expanded, and no
    member is expanded beyond the size that the directory states.

    Args:
        data: The whole file.
        name: What to call it in a refusal.
        limits: Bounds on its bytes, its content's bytes and its expansion.

    Raises:
        UnreadableInput: If it is no archive, has other members, or is encrypted, damaged or untruthful.
        TooLarge: If a limit is exceeded.
    """
    limits.require_bytes(len(data), name)
    _require_short_directory(data, name)
    contents = _expand(data, name, limits)
    if "images.npy" not in contents:
        raise UnreadableInput(
            f"{name!r} has no member 'images'; write it with numpy.savez(file, images=...)."
        )
    labels = contents.get("labels.npy")
    return ArrayFile(
        images=read_npy(contents["images.npy"], f"{name}:images", limits),
        labels=None if labels is None else read_npy(labels, f"{name}:labels", limits),
    )


def _expand(data: bytes, name: str, limits: DecodingLimits) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            _require_members(members, name)
            _require_sizes(members, len(data), name, limits)
            return {member.filename: _read_member(archive, member, name) for member in members}
    except ZIP_ERRORS as error:
        raise UnreadableInput(f"{name!r} is no intact .npz archive: {error}.") from error


def _require_short_directory(data: bytes, name: str) -> None:
    """Refuse an archive of many members before its directory is read, which would take memory for each."""
    if data.count(DIRECTORY_ENTRY) > MAX_DIRECTORY_ENTRIES:
        raise UnreadableInput(f"{name!r} has too many members; it may hold 'images' and 'labels' only.")


def _require_members(members: list[zipfile.ZipInfo], name: str) -> None:
    names = [member.filename for member in members]
    if len(set(names)) != len(names) or not MEMBERS.issuperset(names):
        raise UnreadableInput(f"{name!r} may hold 'images' and 'labels', each once, and nothing else.")
    for member in members:
        if member.flag_bits & ENCRYPTED or member.compress_type not in METHODS:
            raise UnreadableInput(
                f"{name!r} is encrypted or of an unusual compression; write it with numpy.savez_compressed."
            )


def _require_sizes(members: list[zipfile.ZipInfo], num_bytes: int, name: str, limits: DecodingLimits) -> None:
    expanded = sum(member.file_size for member in members)
    limits.require_bytes(expanded, name)
    limits.require_expansion(expanded, num_bytes, name)


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> bytes:
    with archive.open(member) as stream:
        # Asking for one byte too many bounds what is expanded and still reaches the checksum at the end.
        content = stream.read(member.file_size + 1)
    if len(content) != member.file_size:
        raise UnreadableInput(
            f"{name!r} states {member.file_size} bytes for {member.filename!r}, which is untrue."
        )
    return content
