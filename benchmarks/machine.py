"""What a table was measured on: ratios carry over to other machines, seconds do not."""

from __future__ import annotations

import platform
import shutil
import subprocess

import torch

from certd.models.runtime.threads import available_cores


def describe() -> str:
    """Return machine, instruction set, accelerator, versions and commit in one line."""
    git = shutil.which("git") or "git"
    commit = subprocess.run(
        [git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    name = commit.stdout.strip() or "unknown"
    gpu = accelerator()
    return (
        f"{platform.machine()}, {available_cores()} cores, {torch.backends.cpu.get_cpu_capability()}"
        f"{_matrix_units()}, {'' if gpu is None else f'{gpu}, '}torch {torch.__version__}, commit {name}"
    )


def accelerator() -> str | None:
    """Return the name of the CUDA device, if there is one."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def _matrix_units() -> str:
    """Return whether the processor multiplies bfloat16 matrices by itself: bfloat16 gains little without."""
    return " with AMX" if torch.cpu._is_amx_tile_supported() else " without AMX"  # noqa: SLF001 - no public name
