"""Draw noise on the CPU: the stream of ``certd.noise.philox``, compiled.

Uniforms are made a tile at a time in a loop without branches, which the compiler vectorises, and then looked
up: the top bits of a uniform index a guide, from which the right threshold is rarely more than a step away.
"""

# ruff: noqa: PLR0913, PLR0917 - numba takes arrays and numbers, not objects that hold them

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numba import njit

from certd.noise.quantized import UNIFORM_BITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from certd.noise.quantized import QuantizedNoise

ROUNDS = 10
MULTIPLIER_0, MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL_0, WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
LOW_32, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
ONE, TWO = np.uint64(1), np.uint64(2)

TILE = 512
GUIDE_BITS = 14
GUIDE_SHIFT = np.uint64(UNIFORM_BITS - GUIDE_BITS)

Function = TypeVar("Function", bound="Callable[..., Any]")


def _compiled(function: Function) -> Function:
    """Compile on first use, and remember the machine code on disk where some directory can be written."""
    try:
        return njit(nogil=True, cache=True)(function)  # type: ignore[return-value]
    except RuntimeError:  # no writable cache directory: a read-only installation without NUMBA_CACHE_DIR
        return njit(nogil=True)(function)  # type: ignore[return-value]


@_compiled
def _philox(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    for _ in range(ROUNDS):
        product0, product1 = MULTIPLIER_0 * c0, MULTIPLIER_1 * c2
        c0, c1 = (product1 >> HALF) ^ c1 ^ k0, product1 & LOW_32
        c2, c3 = (product0 >> HALF) ^ c3 ^ k1, product0 & LOW_32
        k0, k1 = (k0 + WEYL_0) & LOW_32, (k1 + WEYL_1) & LOW_32
    return ((c0 << HALF) | c1) >> TWO, ((c2 << HALF) | c3) >> TWO


@_compiled
def _fill(pair: Any, draw: Any, image: Any, seed: Any, tile: Any) -> None:
    """Write the uniforms of the coordinates ``2 pair``, ``2 pair + 1``, ... into ``tile``, of even length."""
    draw, low, high = np.uint64(draw), image & LOW_32, image >> HALF
    k0, k1 = seed & LOW_32, seed >> HALF
    for j in range(tile.size // 2):
        tile[2 * j], tile[2 * j + 1] = _philox(np.uint64(pair + j), draw, low, high, k0, k1)


@_compiled
def _add(pixels: Any, tile: Any, thresholds: Any, guide: Any, lowest: Any, out: Any) -> None:
    """Write ``pixel + lowest + #{thresholds <= u}``; ``thresholds`` ends with a sentinel above every u."""
    for j in range(out.size):
        u = tile[j]
        count = np.uint64(guide[u >> GUIDE_SHIFT])
        while thresholds[count] <= u:
            count += ONE
        out[j] = np.float32(np.int64(pixels[j]) + lowest + np.int64(count))


@_compiled
def _perturb(
    pixels: Any,
    image_ids: Any,
    rows: Any,
    draws: Any,
    seed: Any,
    thresholds: Any,
    guide: Any,
    lowest: Any,
    out: Any,
) -> None:
    tile = np.empty(TILE, np.uint64)
    for row in range(rows.size):
        clean, image = pixels[rows[row]], image_ids[rows[row]]
        for start in range(0, clean.size, TILE):
            stop = min(start + TILE, clean.size)
            _fill(start // 2, draws[row], image, seed, tile[: stop - start + (stop & 1)])
            _add(clean[start:stop], tile, thresholds, guide, lowest, out[row, start:stop])


@lru_cache(maxsize=64)
def _lookup(noise: QuantizedNoise) -> tuple[NDArray[np.uint64], NDArray[np.uint16]]:
    """Return the thresholds with a sentinel, and how many lie no higher than each value of the top bits."""
    starts = np.arange(1 << GUIDE_BITS, dtype=np.uint64) << GUIDE_SHIFT
    guide = np.searchsorted(noise.thresholds, starts, side="right").astype(np.uint16)
    return np.append(noise.thresholds, np.uint64(2**64 - 1)), guide


@_compiled
def _uniforms(image_ids: Any, draws: Any, seed: Any, out: Any) -> None:
    for row in range(draws.size):
        _fill(0, draws[row], image_ids[row], seed, out[row])


def uniforms(
    image_ids: NDArray[np.uint64], draws: NDArray[np.uint32], seed: int, dimension: int
) -> NDArray[np.int64]:
    """Return the 62 uniform bits of every coordinate, as ``certd.noise.philox.uniforms`` does."""
    out = np.empty((draws.size, dimension + dimension % 2), np.uint64)
    _uniforms(image_ids, draws, np.uint64(seed), out)
    return out[:, :dimension].view(np.int64)


def perturb(
    pixels: NDArray[np.uint8],
    image_ids: NDArray[np.uint64],
    rows: NDArray[np.int64],
    draws: NDArray[np.uint32],
    seed: int,
    noise: QuantizedNoise,
    out: NDArray[np.float32],
) -> None:
    """Write noisy copies of images, in units of 1/255; the interpreter lock is released meanwhile.

    The trap: nothing is checked here; a row that names no image reads foreign memory.

    Args:
        pixels: The clean images, C-contiguous uint8[image, dimension].
        image_ids: Name of each image, uint64[image].
        rows: Which image each row shows, int64[row], in [0, image).
        draws: Draw index of each row, uint32[row].
        seed: Seed of the job, in [0, 2**64).
        noise: Law of one coordinate's noise.
        out: Receives the noisy copies, C-contiguous float32[row, dimension].
    """
    thresholds, guide = _lookup(noise)
    _perturb(pixels, image_ids, rows, draws, np.uint64(seed), thresholds, guide, noise.lowest, out)
