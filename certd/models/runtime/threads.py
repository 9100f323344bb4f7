"""How many threads a process may use: processes that share a core slow each other down."""

from __future__ import annotations

import os
from pathlib import Path

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


def oversubscription(num_processes: int, threads: int, cores: int) -> str | None:
    """Say what is wrong with so many busy processes of so many threads each, if anything is.

    On small networks one process a core with one thread each is the fastest: two such processes beat one with
    two threads by a third.

    Args:
        num_processes: Busy processes on the machine, at least 1.
        threads: Threads of each, at least 1.
        cores: Cores they share, at least 1.

    Returns:
        None where every thread has a core; otherwise a sentence with the remedy.
    """
    if num_processes * threads <= cores:
        return None
    return (
        f"{num_processes} worker processes with {threads} threads each do not fit {cores} cores and slow "
        f"each other down: start at most {cores} workers, with CERTD_THREADS of at most "
        f"{max(1, cores // num_processes)}."
    )
