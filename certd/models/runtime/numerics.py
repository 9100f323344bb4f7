"""The process-wide switches of torch that decide how numbers are rounded, set while they are needed."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch.backends import cudnn

if TYPE_CHECKING:
    from collections.abc import Iterator

DETERMINISTIC: Any = torch.utils.deterministic  # its switch is a property that no type checker sees


@contextmanager
def numerics(*, tf32: bool) -> Iterator[None]:
    """Run without gradients and with repeatable algorithms; give back the switches as they were.

    The trap these switches hold: cuDNN uses TF32 for convolutions unless told otherwise, whatever is set for
    products of matrices; and deterministic mode fills fresh memory with NaN unless told otherwise.

    Args:
        tf32: Whether CUDA may round the factors of float32 products to 10 bits.
    """
    precision, mode = torch.get_float32_matmul_precision(), torch.get_deterministic_debug_mode()
    filling = DETERMINISTIC.fill_uninitialized_memory
    try:
        torch.set_float32_matmul_precision("high" if tf32 else "highest")
        torch.set_deterministic_debug_mode("error")
        DETERMINISTIC.fill_uninitialized_memory = False
        with _cudnn(tf32=tf32), torch.inference_mode():
            yield
    finally:
        DETERMINISTIC.fill_uninitialized_memory = filling
        torch.set_deterministic_debug_mode(mode)
        torch.set_float32_matmul_precision(precision)


def keep_cublas_repeatable() -> None:
    """Give cuBLAS the workspace without which deterministic mode refuses it; call before its first use."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@contextmanager
def _cudnn(*, tf32: bool) -> Iterator[None]:
    with cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=tf32):
        yield
