"""Keep freed memory for the next batch.

A network frees what its layers wrote and asks for as much again with every batch. The C library gives large
pieces back to the system at once, which then has to clear every page anew: a fifth of the time of ResNet-20
on a processor. Kept, the pages cost nothing, and a process holds no more than its largest batch needed.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache

MOST_KEPT = 512 << 20
"""Bytes; freed memory beyond that goes back to the system."""
LARGEST_KEPT = (256 << 20, 32 << 20)
"""Bytes of one piece; images of a whole set are not meant. Older versions of the library allow the second."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
CHOSEN_OUTSIDE = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


@cache
def keep_freed_memory() -> bool:
    """Have this process keep what it frees; once for all its threads.

    Numbers do not depend on where they are kept, so no count changes. Whoever has set one of
    ``CHOSEN_OUTSIDE`` in the environment is left alone, and so is every C library but GNU's.

    Returns:
        Whether the C library does as it was told.
    """
    if not sys.platform.startswith("linux") or any(name in os.environ for name in CHOSEN_OUTSIDE):
        return False
    tell = getattr(ctypes.CDLL(None), "mallopt", None)
    if tell is None:
        return False
    kept = any(tell(_M_MMAP_THRESHOLD, size) for size in LARGEST_KEPT)
    return kept and bool(tell(_M_TRIM_THRESHOLD, MOST_KEPT))
