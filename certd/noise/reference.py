"""Add quantised noise to images in plain torch: what the kernels must compute, on any device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from certd.noise.philox import uniforms

if TYPE_CHECKING:
    from torch import Tensor

    from certd.noise.quantized import QuantizedNoise


def perturb(  # noqa: PLR0913, PLR0917 - one call is one pass over memory, and these are its operands
    pixels: Tensor,
    image_ids: Tensor,
    rows: Tensor,
    draws: Tensor,
    seed: int,
    noise: QuantizedNoise,
    out: Tensor,
) -> None:
    """Write noisy copies of images, in units of 1/255.

    Row ``r`` becomes ``pixels[rows[r]] + K`` with the noise that belongs to
    ``(seed, image_ids[rows[r]], draws[r])``; the sums are exact integers.

    Args:
        pixels: The clean images, uint8[image, dimension].
        image_ids: Name of each image, uint64[image].
        rows: Which image each row shows, int64[row].
        draws: Draw index of each row, uint32[row].
        seed: Seed of the job, in [0, 2**64).
        noise: Law of one coordinate's noise.
        out: Receives the noisy copies, float32[row, dimension].
    """
    thresholds = torch.from_numpy(noise.thresholds.astype("int64")).to(pixels.device)
    chosen = image_ids.view(torch.int64)[rows].view(torch.uint64)
    steps = torch.searchsorted(thresholds, uniforms(chosen, draws, seed, pixels.shape[1]), right=True)
    out.copy_(pixels[rows].to(torch.int64) + noise.lowest + steps)
