"""Looks at the data folder: whether it can be written as jobs need it, and how much room is left."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from certd.cli.doctor.finding import broken, doubtful, fine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certd.cli.doctor.finding import Finding
    from certd.settings import Settings

PART = "storage"
TOO_LITTLE_BYTES = 100 * 2**20
LITTLE_BYTES = 2 * 2**30


def look_at_storage(settings: Settings) -> Iterator[Finding]:
    """Try what a job does in the data folder: write, sync, rename, link; nothing is left behind."""
    folder = settings.data_dir.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _try_as_a_job_does(folder)
    except OSError as error:
        yield broken(
            PART,
            f"{folder} cannot be used: {error.strerror}",
            "Let this user write it, or set CERTD_DATA_DIR to a folder of a file system with hard links.",
        )
        return
    yield fine(PART, f"{folder} can be written")
    yield _room(folder)


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
