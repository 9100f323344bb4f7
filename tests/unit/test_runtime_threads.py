"""Threads: never more than there are cores."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from certd.errors import InvalidParameter
from certd.models.runtime.threads import available_cores, threads_a_process

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


@pytest.mark.parametrize("num_processes", [0, -1, 9])
def test_more_processes_than_cores_are_refused(num_processes: int) -> None:
    """Oversubscription is an error with a remedy, not a slow job."""
    with pytest.raises(InvalidParameter, match="between 1 and 8"):
        threads_a_process(num_processes, cores=8)
