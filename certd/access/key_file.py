"""The file that keeps the keys: JSON, mode 600, replaced in one step."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from certd.access.key import Key
from certd.errors import Unavailable, UnreadableInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_BYTES = 1 << 24
OTHERS_MAY_WRITE = 0o022

_KEYS = TypeAdapter(list[Key])


def read_keys(path: Path) -> list[Key]:
    """Return the keys in a file, in its order.

    Raises:
        Unavailable: If others than the file's owner may write it.
        UnreadableInput: If it is damaged; the message quotes nothing of it.
    """
    with path.open("rb") as stream:
        found = os.fstat(stream.fileno())
        if stat.S_IMODE(found.st_mode) & OTHERS_MAY_WRITE:
            raise Unavailable(f"Others may write {path}, so its keys prove nothing; chmod 600 {path}.")
        if found.st_size > MAX_BYTES:
            raise UnreadableInput(f"{path} takes {found.st_size} bytes; no key file is so large.")
        content = stream.read()
    try:
        return _KEYS.validate_json(content)
    except ValidationError as error:
        place = "/".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise UnreadableInput(f"{path} is damaged at /{place}; restore it from a copy.") from None


def write_keys(path: Path, keys: Iterable[Key]) -> None:
    """Replace a file; no reader sees half of it, and nobody else may read it at any moment."""
    document = json.dumps([_members(key) for key in keys], indent=2)
    # mkstemp creates with mode 600, whatever the umask.
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(document)
            stream.flush()
            os.fsync(stream.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Keep other processes from changing a file, so that no key is lost between a read and a write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _members(key: Key) -> dict[str, object]:
    members: dict[str, object] = key.model_dump(mode="json", exclude_none=True)
    return members | {"scopes": sorted(key.scopes)}
