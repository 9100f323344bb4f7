"""Draw noise on CUDA: the stream of ``certd.noise.philox``, the table and the sum in one kernel.

A program makes the noise of one stretch of one row in registers and writes only the noisy pixels. A uniform's
top bits index a guide, which brackets its count of thresholds; a bracket rarely holds more than one, and is
halved until it holds none. All programs write what the compiled kernel of ``certd.noise.cpu`` writes, bit for
bit; bfloat16 is that, rounded to nearest even.
"""

# mypy: disable-error-code="untyped-decorator"
# ruff: noqa: PLR0913, PLR0917 - a kernel takes pointers and numbers, not objects that hold them

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
import triton
import triton.language as tl

from certd.noise.philox import MULTIPLIERS, ROUNDS, WEYL, split_words
from certd.noise.quantized import UNIFORM_BITS

if TYPE_CHECKING:
    from torch import Tensor

    from certd.noise.quantized import QuantizedNoise

# Measured on an H100: one warp on 256 pixels writes 177 to 192 pixels a nanosecond, four warps on 1,024 write
# 143. A program waits for its slowest pixel, and a small one has fewer to wait for.
PAIRS = 128
WARPS = 1
GUIDE_BITS = 14

_ROUNDS = tl.constexpr(ROUNDS)
_MULTIPLIER_0, _MULTIPLIER_1 = tl.constexpr(MULTIPLIERS[0]), tl.constexpr(MULTIPLIERS[1])
_WEYL_0, _WEYL_1 = tl.constexpr(WEYL[0]), tl.constexpr(WEYL[1])
_GUIDE_SHIFT = tl.constexpr(UNIFORM_BITS - GUIDE_BITS)


@triton.jit
def _philox(
    c0: tl.tensor, c1: tl.tensor, c2: tl.tensor, c3: tl.tensor, k0: tl.tensor, k1: tl.tensor
) -> tl.tensor:
    for _ in tl.static_range(_ROUNDS):
        high0, low0 = tl.umulhi(c0, _MULTIPLIER_0), c0 * _MULTIPLIER_0
        high1, low1 = tl.umulhi(c2, _MULTIPLIER_1), c2 * _MULTIPLIER_1
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = k0 + _WEYL_0, k1 + _WEYL_1
    return c0, c1, c2, c3


@triton.jit
def _uniforms(pairs: tl.tensor, draw: tl.tensor, image: tl.tensor, key: tl.tensor) -> tl.tensor:
    """Return the 62 bits of coordinates ``2 pairs[0]``, ``2 pairs[0] + 1``, ..., twice as many as pairs."""
    c0 = pairs.to(tl.uint32)
    low, high = image.to(tl.uint32), (image >> 32).to(tl.uint32)
    zero = c0 ^ c0
    w0, w1, w2, w3 = _philox(c0, zero + draw, zero + low, zero + high, tl.load(key), tl.load(key + 1))
    even = (w0.to(tl.int64) << 30) | (w1.to(tl.int64) >> 2)
    odd = (w2.to(tl.int64) << 30) | (w3.to(tl.int64) >> 2)
    return tl.interleave(even, odd)


@triton.jit
def _count(u: tl.tensor, thresholds: tl.tensor, guide: tl.tensor) -> tl.tensor:
    """Return ``#{thresholds <= u}`` by halving the guide's bracket."""
    cell = guide + (u >> _GUIDE_SHIFT)
    low, high = tl.load(cell), tl.load(cell + 1)
    while tl.max(high - low) > 0:
        middle = (low + high) // 2
        is_open = low < high
        is_below = tl.load(thresholds + middle, mask=is_open, other=0) <= u
        low = tl.where(is_open & is_below, middle + 1, low)
        high = tl.where(is_open & (is_below == 0), middle, high)
    return low


@triton.jit
def _bfloat16_bits(value: tl.tensor) -> tl.tensor:
    """Round float32 to the nearest bfloat16, ties to even, as the 16 bits of the result."""
    bits = value.to(tl.int32, bitcast=True)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).to(tl.int16)


@triton.jit(do_not_specialize=["lowest", "num_images"])
def _perturb(
    pixels: tl.tensor,
    image_ids: tl.tensor,
    rows: tl.tensor,
    draws: tl.tensor,
    key: tl.tensor,
    thresholds: tl.tensor,
    guide: tl.tensor,
    lowest: tl.tensor,
    num_images: tl.tensor,
    dimension: tl.tensor,
    out: tl.tensor,
    PAIRS: tl.constexpr,  # noqa: N803 - Triton's constants are written so
    NARROW: tl.constexpr,  # noqa: N803
) -> None:
    row, stretch = tl.program_id(0).to(tl.int64), tl.program_id(1)
    image = tl.load(rows + row)
    is_image = (image >= 0) & (image < num_images)
    image = tl.where(is_image, image, 0)
    u = _uniforms(
        stretch * PAIRS + tl.arange(0, PAIRS), tl.load(draws + row), tl.load(image_ids + image), key
    )
    coordinates = stretch * (2 * PAIRS) + tl.arange(0, 2 * PAIRS)
    inside = coordinates < dimension
    clean = tl.load(pixels + image * dimension + coordinates, mask=inside, other=0).to(tl.int32)
    noisy = (clean + lowest + _count(u, thresholds, guide)).to(tl.float32)
    noisy = tl.where(is_image, noisy, float("nan"))
    written = _bfloat16_bits(noisy) if NARROW else noisy
    tl.store(out + row * dimension + coordinates, written, mask=inside)


@lru_cache(maxsize=64)
def _table(noise: QuantizedNoise, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the thresholds, and how many lie no higher than each value of the top bits, and than all."""
    starts = np.arange((1 << GUIDE_BITS) + 1, dtype=np.uint64) << np.uint64(UNIFORM_BITS - GUIDE_BITS)
    guide = np.searchsorted(noise.thresholds, starts, side="right").astype(np.int32)
    return torch.from_numpy(noise.thresholds.astype(np.int64)).to(device), torch.from_numpy(guide).to(device)


@lru_cache(maxsize=64)
def _key(seed: int, device: torch.device) -> Tensor:
    return torch.tensor(split_words(seed), dtype=torch.int64).to(torch.uint32).to(device)


def perturb(
    pixels: Tensor,
    image_ids: Tensor,
    rows: Tensor,
    draws: Tensor,
    seed: int,
    noise: QuantizedNoise,
    out: Tensor,
) -> None:
    """Write noisy copies of images, in units of 1/255; nothing waits for the device.

    A row that names no image is written as NaN, which no classifier turns into a vote unnoticed: to refuse it
    here would cost a round trip to the device for every batch.

    Args:
        pixels: The clean images, contiguous uint8[image, dimension].
        image_ids: Name of each image, uint64[image].
        rows: Which image each row shows, int64[row].
        draws: Draw index of each row, uint32[row].
        seed: Seed of the job, in [0, 2**64).
        noise: Law of one coordinate's noise.
        out: Receives the noisy copies, contiguous float32 or bfloat16[row, dimension].
    """
    num_images, dimension = pixels.shape
    if not (num_images and out.numel()):
        return
    narrow = out.dtype == torch.bfloat16
    _perturb[len(rows), triton.cdiv(dimension, 2 * PAIRS)](
        pixels,
        image_ids,
        rows,
        draws,
        _key(seed, out.device),
        *_table(noise, out.device),
        noise.lowest,
        num_images,
        dimension,
        out.view(torch.int16) if narrow else out,
        PAIRS=PAIRS,
        NARROW=narrow,
        num_warps=WARPS,
    )
