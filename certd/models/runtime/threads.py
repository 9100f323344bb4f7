"""How many threads a process may use: processes that share a core slow each other down."""

from __future__ import annotations

import os
from pathlib import Path

from certd.errors import InvalidParameter

CGROUP_LIMIT = Path("/sys/fs/cgroup/cpu.max")


def available_cores(limit: Path = CGROUP_LIMIT) -> int:
    """Return how many cores this process may use: its affinity, cut to its container's share.

    Args:
        limit: The control group's file of quota and period, in microseconds.

    Returns:
        At least 1; a share of a core counts as one.
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = limit.read_text().partition(" ") if limit.is_file() else ("max", "", "")
    return usable if quota == "max" else max(1, min(usable, int(quota) // int(period)))


def threads_a_process(num_processes: int, cores: int) -> int:
    """Return how many threads each of several busy processes should use.

    Whole cores, so that no two threads share one. On small networks one process a core with one thread each
    is the fastest: two such processes beat one with two threads by a third.

    Args:
        num_processes: Busy processes on the machine, at least 1.
        cores: Cores they share, at least 1.

    Returns:
        Threads of each, at least 1.

    Raises:
        InvalidParameter: If there are more processes than cores.
    """
    if not 1 <= num_processes <= cores:
        raise InvalidParameter(
            f"{num_processes} processes cannot share {cores} cores without slowing each other down; "
            f"start between 1 and {cores}."
        )
    return cores // num_processes
