"""Noise that lives on the pixel grid, as a table of integer thresholds.

**Why the certificate survives quantisation.** Let eps be any additive noise with a density, and let an image
x lie on the grid {0, 1/255, ..., 1}. Then round(x + eps) = x + round(eps), where round goes to the nearest
point of the grid continued over the whole line: a shift by a grid point commutes with rounding. So, with K =
round(eps) counted in steps of 1/255,

    f(x + K / 255)        and        (f o round)(x + eps)

are the same random variable for every grid image x. The right-hand side is post-processing: ``f o round`` is
one fixed base classifier under the noise eps, to which the law's ordinary theorem applies, whatever f is and
in whatever precision it runs. Hence its radius holds between any two grid images. Nothing is lost, and
nothing depends on floating point, because 255 x + K is an exact integer.

**What the table costs.** The table's law differs from that of K by ``total_variation`` a coordinate. A bound
on pA that was computed from its draws holds for the exact law after subtracting dimension * total_variation.

References:
    Voracek and Hein (2023), "Sound randomized smoothing in floating-point arithmetic", ICLR; Cohen, Rosenfeld
    and Kolter (2019), arXiv:1902.02918.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import nextafter
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from certd.errors import InvalidParameter
from certd.noise.gaussian import Gaussian
from certd.noise.law import EXACT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from certd.noise.law import AdditiveLaw

LEVELS = 255
UNIFORM_BITS = 62
ONE = 1 << UNIFORM_BITS
MAX_THRESHOLDS = (1 << 16) - 1

GUARD_BITS = 40
ONE_AT_A_TIME = Lock()  # mpmath's memory of pi and ln 2 can be read half written by another thread


@dataclass(frozen=True, slots=True, eq=False)
class QuantizedNoise:
    """The law of one coordinate's integer noise ``K = lowest + #{thresholds <= u}``, u uniform on [0, 2**62).

    Attributes:
        thresholds: ``round(2**62 F((i + 0.5) / 255))`` for i = lowest, lowest + 1, ..., uint64, never
            decreasing and strictly between 0 and 2**62; a threshold rounded to either end decides nothing and
            is left out.
        lowest: The least value of K.
        total_variation: Proven upper bound on the total variation distance between this law and the exact
            cell probabilities, cut tails included; a coordinate's, so an image has ``dimension`` times as
            much.
    """

    thresholds: NDArray[np.uint64]
    lowest: int
    total_variation: float


@lru_cache(maxsize=64)
def quantized(law: AdditiveLaw) -> QuantizedNoise:
    """Tabulate ``P(K = i) = F((i + 0.5) / 255) - F((i - 0.5) / 255)`` for a symmetric law.

    Args:
        law: Any law of independent symmetric coordinates.

    Returns:
        The table; the same object for the same law.

    Raises:
        InvalidParameter: If the noise spreads over more than 65535 grid levels.
    """
    with ONE_AT_A_TIME:
        tails = _scaled_tails(law)
    lower = [_round(tail) for tail in tails[:-1]]
    thresholds = np.array(lower[::-1] + [ONE - threshold for threshold in lower], dtype=np.uint64)
    thresholds.setflags(write=False)
    return QuantizedNoise(thresholds, -len(lower), _total_variation(tails))


def quantized_gaussian(sigma: float) -> QuantizedNoise:
    """Tabulate the Gaussian of standard deviation ``sigma``, in input units, on the pixel grid."""
    return quantized(Gaussian(sigma))


def _scaled_tail(law: AdditiveLaw, level: int) -> int:
    """Return ``floor(2**102 P(K > level))``, to within one unit."""
    tail = law.tail(EXACT.mpf(level + 0.5) / LEVELS)
    return int(EXACT.ldexp(tail, UNIFORM_BITS + GUARD_BITS))


def _scaled_tails(law: AdditiveLaw) -> list[int]:
    """Return the scaled tails of levels 0, 1, ..., the last being the first that rounds to no threshold."""
    if _round(_scaled_tail(law, MAX_THRESHOLDS // 2)) > 0:
        raise InvalidParameter(f"sigma = {law.sigma} spreads the noise over too many levels; choose less.")
    tails = [_scaled_tail(law, 0)]
    while _round(tails[-1]) > 0:
        tails.append(_scaled_tail(law, len(tails)))
    return tails


def _round(scaled: int) -> int:
    """Round a guarded probability to the nearest multiple of 2**-62."""
    return (scaled + (1 << GUARD_BITS - 1)) >> GUARD_BITS


def _total_variation(tails: list[int]) -> float:
    """Bound the distance of the table from the exact law.

    With ``e_i`` the rounding error of ``P(K > i)``, a cell ``i > 0`` is off by ``|e_i - e_(i-1)|``, cell 0 by
    ``2 |e_0|``, and by symmetry the negative cells as the positive ones; whatever lies beyond the last tail
    is off by its whole mass. Each error is known to within two guard units, which are added.
    """
    errors = [(_round(tail) << GUARD_BITS) - tail for tail in tails]
    cells = sum(abs(after - before) for before, after in pairwise(errors))
    bound = abs(errors[0]) + cells + tails[-1] + 4 * len(tails)
    return nextafter(bound / (1 << UNIFORM_BITS + GUARD_BITS), 1.0)
