"""Memory: what a batch freed is kept for the next one, unless somebody has decided otherwise."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from certd.models.runtime.allocation import CHOSEN_OUTSIDE, keep_freed_memory
from tests.conftest import CHECKOUT

ROUNDS, PIECE_MEBIBYTES = 20, 40
FAULTS = f"""
import resource
import torch
from certd.models import load_model
from certd.models.runtime.allocation import keep_freed_memory
from certd.models.runtime.arithmetic import ExecutionArithmetic
from certd.models.runtime.prepare import prepare

prepare(load_model("digits-cnn"), ExecutionArithmetic(), 8)
ask = lambda: torch.empty({PIECE_MEBIBYTES} << 20, dtype=torch.uint8).fill_(1)
ask()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({ROUNDS}):
    ask()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, keep_freed_memory())
"""

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not GNU's")


def faults(**environment: str) -> tuple[int, bool]:
    """Return the pages that a fresh process had to be given anew, and whether it keeps what it frees."""
    inherited = {name: value for name, value in os.environ.items() if name not in CHOSEN_OUTSIDE}
    found = subprocess.run(
        [sys.executable, "-c", FAULTS],
        env=inherited | environment,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    pages, kept = found.stdout.split()
    return int(pages), kept == "True"


def test_a_batch_is_given_the_memory_of_the_last_one() -> None:
    """Asked for twenty times, a piece is new to the system once; a fifth of that is allowed for all else."""
    (kept_pages, kept), (returned_pages, _) = faults(), faults(MALLOC_MMAP_THRESHOLD_="1048576")
    assert kept
    assert kept_pages < returned_pages / 5


@pytest.mark.parametrize("name", CHOSEN_OUTSIDE)
def test_whoever_has_chosen_is_left_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An allocator that was set from outside stays as it was set."""
    monkeypatch.setenv(name, "1048576")
    assert not keep_freed_memory.__wrapped__()
