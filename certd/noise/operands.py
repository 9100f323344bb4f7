"""Refuse operands that a noise kernel would misread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from certd.errors import InvalidParameter, ShapeMismatch

if TYPE_CHECKING:
    from collections.abc import Collection

    from torch import Tensor

MAX_SEED = (1 << 64) - 1


def check_seed(seed: int) -> None:
    """Refuse a seed that does not fit 64 bits, rather than fold it.

    Raises:
        InvalidParameter: Unless ``seed`` lies in [0, 2**64).
    """
    if not 0 <= seed <= MAX_SEED:
        raise InvalidParameter(f"A seed lies in [0, 2**64); got {seed}.")


def check_operands(  # noqa: PLR0913 - what a kernel reads and writes
    pixels: Tensor,
    image_ids: Tensor,
    rows: Tensor,
    draws: Tensor,
    out: Tensor,
    *,
    written: Collection[torch.dtype] = (torch.float32,),
) -> None:
    """Refuse wrong types, devices, layouts, shapes and row indices; any type of ``pixels`` passes.

    The trap: on an accelerator row indices are not looked at, since that would wait for the device; what runs
    there must itself be safe against a row that names no image.

    Args:
        pixels: See ``NoiseSource.perturb``, as for the next three.
        image_ids: One an image.
        rows: One a noisy copy.
        draws: One a noisy copy.
        out: What is written to.
        written: Types that ``out`` may have.

    Raises:
        InvalidParameter: If a tensor has the wrong type, lies on another device or is not contiguous.
        ShapeMismatch: If the shapes disagree, or a row names no image.
    """
    into = out.dtype if out.dtype in written else next(iter(written))
    expected = (pixels.dtype, torch.uint64, torch.int64, torch.uint32, into)
    for tensor, dtype in zip((pixels, image_ids, rows, draws, out), expected, strict=True):
        if (tensor.dtype, tensor.device) != (dtype, pixels.device) or not tensor.is_contiguous():
            raise InvalidParameter(
                f"Noise takes contiguous tensors on one device; wanted {dtype} on {pixels.device}, "
                f"got {tensor.dtype} on {tensor.device} with strides {tensor.stride()}."
            )
    if image_ids.shape != pixels.shape[:1] or not rows.shape == draws.shape == out.shape[:1]:
        raise ShapeMismatch("There must be one id an image, and one row index and one draw a noisy copy.")
    if pixels.shape[1:] != out.shape[1:]:
        raise ShapeMismatch(f"Images of shape {tuple(pixels.shape[1:])} do not fill {tuple(out.shape[1:])}.")
    if rows.device.type == "cpu" and len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < len(pixels):
        raise ShapeMismatch(f"A row names an image outside the {len(pixels)} that were given.")
