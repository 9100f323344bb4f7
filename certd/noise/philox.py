"""Turn (seed, image, draw, coordinate) into 62 uniform bits: the readable reference, on any device.

The stream is a pure function, so counts cannot depend on batch, shard, worker, resume or device. Its layout
is fixed for ever::

    key        = (seed low 32, seed high 32)
    counter    = (coordinate // 2, draw index, image id low 32, image id high 32)
    w0 .. w3   = philox4x32-10(counter, key)
    even coordinate:  u = ((w0 << 32) | w1) >> 2
    odd coordinate:   u = ((w2 << 32) | w3) >> 2

Eager torch is a hundred times slower than the compiled kernels, which must agree with it bit for bit.

References:
    Salmon, Moraes, Dror and Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3", section 3.3.
"""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
LOW_32 = 0xFFFFFFFF

Words = tuple[Tensor, Tensor, Tensor, Tensor]


def _multiply(factor: int, word: Tensor) -> tuple[Tensor, Tensor]:
    """Return the high and low 32 bits of a product; int64 overflow wraps and leaves all 64 bits right."""
    product = word * factor
    return (product >> 32) & LOW_32, product & LOW_32


def philox4x32(counter: Words, key: tuple[int, int]) -> Words:
    """Encrypt a 128-bit counter by ten rounds of Philox.

    Args:
        counter: Four words in [0, 2**32), int64, of shapes that broadcast.
        key: Two words in [0, 2**32).

    Returns:
        Four words in [0, 2**32), int64.
    """
    c0, c1, c2, c3 = counter
    for turn in range(ROUNDS):
        k0, k1 = ((word + turn * step) & LOW_32 for word, step in zip(key, WEYL, strict=True))
        high0, low0 = _multiply(MULTIPLIERS[0], c0)
        high1, low1 = _multiply(MULTIPLIERS[1], c2)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
    return c0, c1, c2, c3


def split_words(value: int) -> tuple[int, int]:
    """Return the low and high 32 bits of a 64-bit integer."""
    return value & LOW_32, value >> 32


def uniforms(image_ids: Tensor, draws: Tensor, seed: int, dimension: int) -> Tensor:
    """Return the 62 uniform bits of every coordinate of every noisy copy.

    Args:
        image_ids: Which image each row shows, uint64[row].
        draws: Draw index of each row, uint32[row].
        seed: Seed of the job, in [0, 2**64).
        dimension: Coordinates of an image, at least 1.

    Returns:
        Integers in [0, 2**62), int64[row, dimension].
    """
    ids = image_ids.view(torch.int64).unsqueeze(1)
    pairs = torch.arange((dimension + 1) // 2, device=ids.device).unsqueeze(0)
    counter = (pairs, draws.to(torch.int64).unsqueeze(1), ids & LOW_32, (ids >> 32) & LOW_32)
    w0, w1, w2, w3 = philox4x32(counter, split_words(seed))
    both = torch.stack((w0 << 30 | w1 >> 2, w2 << 30 | w3 >> 2), dim=2)
    return both.flatten(1)[:, :dimension].contiguous()
