"""Noise in floating point, for inputs off the pixel grid and for parity with other implementations.

A certificate from this source is **not** sound in floating point: the low bits of fl(x + eps) can reveal x,
so the law of the sum is no shift of one law, and whoever reports such a certificate has to say so.

References:
    Voracek and Hein (2023), "Sound randomized smoothing in floating-point arithmetic", ICLR.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import torch

from certd.errors import InvalidParameter
from certd.noise import cpu, philox
from certd.noise.gaussian import Gaussian
from certd.noise.laplace import Laplace
from certd.noise.operands import check_operands, check_seed
from certd.noise.quantized import LEVELS, ONE
from certd.noise.uniform import Uniform

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from certd.noise.law import AdditiveLaw

UPPER_QUANTILES: dict[type[AdditiveLaw], Callable[[Tensor], Tensor]] = {
    Gaussian: lambda q: -torch.special.ndtri(q),
    Laplace: lambda q: torch.log(2 * q) / -sqrt(2),
    Uniform: lambda q: sqrt(3) * (1 - 2 * q),
}
"""Where the upper tail of the law with sigma = 1 has mass q, for q in (0, 1/2]."""


class FloatNoiseSource:
    """Noise rounded to float32, from the same uniforms as the quantised noise.

    Args:
        law: Law of one coordinate's noise.
        seed: Seed of the job, in [0, 2**64).

    Raises:
        InvalidParameter: If ``seed`` does not fit 64 bits, or the law has no float sampler.
    """

    arithmetic = "float"

    def __init__(self, law: AdditiveLaw, seed: int) -> None:
        check_seed(seed)
        if type(law) not in UPPER_QUANTILES:
            raise InvalidParameter(f"There is no floating-point sampler for {law.name} noise; use quantized.")
        self.law = law
        self.seed = seed

    def perturb(self, pixels: Tensor, image_ids: Tensor, rows: Tensor, draws: Tensor, out: Tensor) -> None:
        """Write ``fl(pixels[rows] + fl(255 eps))``; see ``NoiseSource.perturb``.

        ``pixels`` may also be float32, in units of 1/255.
        """
        check_operands(pixels, image_ids, rows, draws, out)
        noisy = out.view(len(out), -1)
        chosen = image_ids.view(torch.int64)[rows].view(torch.uint64)
        noisy.copy_(self._noise(_uniforms(chosen, draws, self.seed, noisy.shape[1])))
        noisy.add_(pixels.flatten(1)[rows])

    def _noise(self, uniforms: Tensor) -> Tensor:
        """Return noise in units of 1/255, float64; the lower half of the uniforms gives negative values."""
        negative = uniforms < ONE // 2
        tail = (torch.where(negative, uniforms, ONE - 1 - uniforms).to(torch.float64) + 0.5) / ONE
        magnitude = UPPER_QUANTILES[type(self.law)](tail) * (self.law.sigma * LEVELS)
        return torch.where(negative, -magnitude, magnitude)


def _uniforms(image_ids: Tensor, draws: Tensor, seed: int, dimension: int) -> Tensor:
    """Return the stream's uniforms, by the compiled kernel where there is one."""
    if image_ids.device.type == "cpu":
        return torch.from_numpy(cpu.uniforms(image_ids.numpy(), draws.numpy(), seed, dimension))
    return philox.uniforms(image_ids, draws, seed, dimension)
