"""Looks at where jobs lie: whether it can be written as they need it, and how much room is left."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from certd.cli.doctor.finding import broken, doubtful, fine
from certd.errors import CertdError
from certd.storage import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certd.cli.doctor.finding import Finding
    from certd.settings import Settings

PART = "storage"
TOO_LITTLE_BYTES = 100 * 2**20
LITTLE_BYTES = 2 * 2**30


def look_at_storage(settings: Settings) -> Iterator[Finding]:
    """Try what a job does where jobs lie; nothing is left behind."""
    yield from _look_at_folder(settings.data_dir.resolve(), "CERTD_DATA_DIR")
    if settings.storage is None:
        return
    if "://" in settings.storage:
        yield _look_at_bucket(settings.storage)
    else:
        yield from _look_at_folder(Path(settings.store), "CERTD_STORAGE")


def _look_at_folder(folder: Path, setting: str) -> Iterator[Finding]:
    """Write, sync, rename and link."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _try_as_a_job_does(folder)
    except OSError as error:
        yield broken(
            PART,
            f"{folder} cannot be used: {error.strerror}",
            f"Let this user write it, or set {setting} to a folder of a file system with hard links.",
        )
        return
    yield fine(PART, f"{folder} can be written")
    yield _room(folder)


def _look_at_bucket(place: str) -> Finding:
    """Write, refuse to write a second time, and remove."""
    name = f".doctor-{os.urandom(8).hex()}"
    try:
        store = open_store(place)
        once, twice = store.create(name, b"certd"), store.create(name, b"again")
        store.remove(name)
    except (CertdError, OSError) as error:
        advice = "Check the bucket's name, and the AWS_ variables or the role that open it."
        return broken(PART, f"{place} cannot be used: {error}", advice)
    except Exception as error:  # noqa: BLE001 - an S3 client raises its own kinds, without a common base
        return broken(PART, f"{place} cannot be used: {error}", "Set the AWS_ variables that open it.")
    if not once or twice:
        advice = "Jobs need If-None-Match on writes; use a server that knows it."
        return broken(PART, f"{place} lets a name be created twice", advice)
    return fine(PART, f"{place} can be written")


def _try_as_a_job_does(folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".doctor-", dir=folder) as name:
        draft, final = Path(name) / "draft", Path(name) / "final"
        with draft.open("wb") as stream:
            stream.write(b"certd")
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(final)
        draft.hardlink_to(final)


def _room(folder: Path) -> Finding:
    usage = shutil.disk_usage(folder)
    detail = f"{usage.free / 2**30:.1f} of {usage.total / 2**30:.1f} GiB free"
    if usage.free < TOO_LITTLE_BYTES:
        return broken("free space", detail, "Delete old jobs or enlarge the disk; shards cannot be stored.")
    if usage.free < LITTLE_BYTES:
        return doubtful("free space", detail, "Uploads are kept whole in their jobs; delete old ones soon.")
    return fine("free space", detail)
