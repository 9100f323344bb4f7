"""Threads: never more than there are cores."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from certd.models.runtime.threads import available_cores, oversubscription
from tests.conftest import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("limit", "cores"),
    [("max 100000", None), ("200000 100000", 2), ("50000 100000", 1), ("99999999 1000", None)],
)
def test_a_containers_share_of_the_machine_is_respected(
    tmp_path: Path, limit: str, cores: int | None
) -> None:
    """A quota caps the cores, a share of a core counts as one, and no quota adds cores."""
    file, usable = tmp_path / "cpu.max", len(os.sched_getaffinity(0))
    file.write_text(f"{limit}\n")
    assert available_cores(file) == (usable if cores is None else min(cores, usable))


def test_a_machine_without_control_groups_has_its_own_cores(tmp_path: Path) -> None:
    """Where nothing limits the process, its affinity counts."""
    assert available_cores(tmp_path / "absent") == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(("processes", "threads", "cores"), [(9, 1, 8), (1, 2, 1), (3, 3, 8), (2, 64, 8)])
def test_more_threads_than_cores_are_named_with_a_remedy(processes: int, threads: int, cores: int) -> None:
    """Oversubscription is said aloud, and following the advice ends it."""
    said = oversubscription(processes, threads, cores)
    assert said is not None
    assert f"at most {cores} workers" in said
    assert oversubscription(min(processes, cores), max(1, cores // min(processes, cores)), cores) is None


@pytest.mark.parametrize(("processes", "threads", "cores"), [(8, 1, 8), (1, 8, 8), (2, 4, 8), (1, 1, 1)])
def test_a_core_a_thread_is_fine(processes: int, threads: int, cores: int) -> None:
    """Nothing is said where every thread has a core of its own."""
    assert oversubscription(processes, threads, cores) is None


@pytest.mark.slow
def test_a_worker_with_more_threads_than_cores_does_not_start(tmp_path: Path) -> None:
    """It says why, and how many there may be."""
    environment = {**os.environ, "CERTD_THREADS": "4096", "CERTD_REDIS_URL": f"unix://{tmp_path}/none"}
    worker = subprocess.run(
        [sys.executable, "-m", "workers"],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert worker.returncode == 2
    assert "CERTD_THREADS" in worker.stderr
