"""Compile a network for one batch shape, where the job is long enough to earn it back."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor, nn

COMPILE_SECONDS = 60.0
"""More than networks of up to 110 layers took on one core."""
MOST_COMPILATIONS = 1024
LEAST_GAIN = 0.07
"""The least share of a folded network's time that compiling saved, of a small and of deep ones."""


def worth_compiling(
    draws_expected: int,
    seconds_a_draw: float,
    compile_seconds: float = COMPILE_SECONDS,
    gain: float = LEAST_GAIN,
) -> bool:
    """Return whether compiling first would end a job sooner.

    Never for a job that would be over before the compilation: the gain is a share of the job.

    Args:
        draws_expected: Draws the job will need, at least 0.
        seconds_a_draw: Time of one draw without compiling.
        compile_seconds: Time that compiling takes.
        gain: Share of the drawing time that compiling saves, in [0, 1].
    """
    return draws_expected * seconds_a_draw * gain > compile_seconds


def can_compile(device: str) -> bool:
    """Return whether this machine has the compiler that torch's compiler hands its kernels to.

    Args:
        device: A torch device name: kernels for CPUs are C++, and those for CUDA have launchers in C.
    """
    if device == "cpu":
        names = [os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")]
    else:
        names = [os.environ["CC"]] if "CC" in os.environ else ["gcc", "cc", "clang"]
    return any(shutil.which(name) for name in names)


def keep_compilations(folder: Path) -> None:
    """Let this process, and those it starts, keep compiled kernels in ``folder`` and look for them there."""
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder)


def compiled(network: nn.Module, device: torch.device) -> Callable[[Tensor], Tensor]:
    """Return ``network`` with its kernels compiled at the first call, for the shape of that call alone.

    On CUDA a call replays a recorded graph, and the next call overwrites what it returned. The trap: after
    eight compilations in one process torch by itself runs what follows uncompiled and says so in a log line;
    here that is an error, for a certificate names the classifier as executed.
    """
    from torch._dynamo import config as dynamo  # noqa: PLC0415 - takes a second to import

    dynamo.recompile_limit = dynamo.accumulated_recompile_limit = MOST_COMPILATIONS
    dynamo.fail_on_recompile_limit_hit = True
    options: dict[str, Any] = {
        "freezing": True,
        "deterministic": True,
        "triton.cudagraphs": device.type == "cuda",
    }
    return torch.compile(network, dynamic=False, options=options)
