"""Draw noise on CUDA: the stream of ``certd.noise.philox``, the table and the sum in one kernel.

A program makes the noise of one stretch of one row in registers and writes only the noisy pixels. A uniform's
top bits index a guide, which brackets its count of thresholds; a bracket rarely holds more than one, and is
halved until it holds none. All programs write what the compiled kernel of ``certd.noise.cpu`` writes, bit for
bit; bfloat16 is that, rounded to nearest even.
"""

# ruff: noqa: PLR0913, PLR0917 - a kernel takes pointers and numbers, not objects that hold them

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import triton
import triton.language as tl

from certd.noise.philox import LOW_32, MULTIPLIERS, ROUNDS, WEYL, split_words
from certd.noise.quantized import UNIFORM_BITS

if TYPE_CHECKING:
    from torch import Tensor

    from certd.noise.quantized import QuantizedNoise

PAIRS = 512
GUIDE_BITS = 14

_ROUNDS = tl.constexpr(ROUNDS)
_MULTIPLIER_0, _MULTIPLIER_1 = tl.constexpr(MULTIPLIERS[0]), tl.constexpr(MULTIPLIERS[1])
_WEYL_0, _WEYL_1 = tl.constexpr(WEYL[0]), tl.constexpr(WEYL[1])
_GUIDE_SHIFT = tl.constexpr(UNIFORM_BITS - GUIDE_BITS)


@triton.jit
def _philox(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    for _ in tl.static_range(_ROUNDS):
        high0, low0 = tl.umulhi(c0, _MULTIPLIER_0), c0 * _MULTIPLIER_0
        high1, low1 = tl.umulhi(c2, _MULTIPLIER_1), c2 * _MULTIPLIER_1
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = k0 + _WEYL_0, k1 + _WEYL_1
    return c0, c1, c2, c3
