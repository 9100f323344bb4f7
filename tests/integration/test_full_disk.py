"""A disk that fills up: whoever sends is told, what runs waits, and nothing is lost."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from certd.errors import StorageFull
from tests.conftest import skip_or_fail
from tests.integration.conftest import REQUEST, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

SIZE = "2m"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of two megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        skip_or_fail("mounting a small disk needs root")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)  # noqa: S607 - the system's own


def _fill(disk: Path) -> Path:
    """Write until there is no room."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as stream:
        for size in (65536, 4096, 1):
            try:
                while stream.write(b"\0" * size):
                    pass
            except OSError:
                continue
    return filler


def test_a_full_disk_loses_nothing(
    tmp_path: Path, small_disk: Path, undisturbed: list[dict[str, Any]]
) -> None:
    """Before a job: 507, and no trace. In a job: it waits, without an attempt counted, and then goes on."""
    settings = {"CERTD_STORAGE": str(small_disk), "CERTD_MAX_ATTEMPTS": "1", "CERTD_HEARTBEAT_SECONDS": "1"}
    with running(tmp_path / "data", 1, **settings) as service:
        filler = _fill(small_disk)
        with pytest.raises(StorageFull, match="Delete jobs or enlarge"):
            service.client.submit(REQUEST)
        assert list(service.client.jobs()) == []
        filler.unlink()
        job = service.client.submit(REQUEST)
        service.wait_for_images(job["id"], 1)
        filler = _fill(small_disk)
        service.wait_until(lambda: len(service.events("storage_full")) >= 2)
        assert service.client.job(job["id"])["status"] == "running"
        filler.unlink()
        assert service.finish(job["id"]) == undisturbed
