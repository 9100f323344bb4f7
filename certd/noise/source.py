"""Where the sampler gets its noise, whatever the device."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

import torch

from certd.errors import InvalidParameter
from certd.noise import cpu, reference
from certd.noise.operands import check_operands, check_seed

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from certd.noise.quantized import QuantizedNoise

    Kernel = Callable[[Tensor, Tensor, Tensor, Tensor, int, QuantizedNoise, Tensor], None]

NUMBA_WRITES = (torch.float32,)
KERNELS_WRITE = (torch.float32, torch.bfloat16)


class NoiseSource(Protocol):
    """Writes noisy copies of images: a pure function of (seed, image, draw, coordinate)."""

    @property
    def arithmetic(self) -> str:
        """How noise and image are added, as a certificate states it."""

    def perturb(self, pixels: Tensor, image_ids: Tensor, rows: Tensor, draws: Tensor, out: Tensor) -> None:
        """Write noisy copies of images, in units of 1/255: ``out / 255`` is what a classifier takes.

        Row ``r`` becomes a copy of ``pixels[rows[r]]`` under the noise of ``(image_ids[rows[r]], draws[r])``.
        Coordinates are numbered in the order channel, height, width.

        Args:
            pixels: The clean images, uint8[image, ...].
            image_ids: Name of each image, uint64[image].
            rows: Which image each row shows, int64[row], in [0, image).
            draws: Draw index of each row, uint32[row].
            out: Receives the noisy copies, float32[row, ...], on the device of ``pixels``. Quantised noise
                takes bfloat16 too, except on the CPU.

        Raises:
            InvalidParameter: If a tensor has the wrong type or is not contiguous.
            ShapeMismatch: If the shapes disagree, or a row names no image; on CUDA such a row of quantised
                noise becomes NaN instead.
        """


class QuantizedNoiseSource:
    """Noise on the pixel grid: every noisy pixel is an exact integer.

    Args:
        noise: Law of one coordinate's noise.
        seed: Seed of the job, in [0, 2**64).

    Raises:
        InvalidParameter: If ``seed`` does not fit 64 bits.
    """

    arithmetic = "quantized"

    def __init__(self, noise: QuantizedNoise, seed: int) -> None:
        check_seed(seed)
        self.noise = noise
        self.seed = seed

    def perturb(self, pixels: Tensor, image_ids: Tensor, rows: Tensor, draws: Tensor, out: Tensor) -> None:
        """Write ``pixels[rows] + K``; see ``NoiseSource.perturb``."""
        device = pixels.device.type
        check_operands(
            pixels, image_ids, rows, draws, out, written=NUMBA_WRITES if device == "cpu" else KERNELS_WRITE
        )
        if pixels.dtype != torch.uint8:
            raise InvalidParameter(
                f"The grid's images are uint8; got {pixels.dtype}. Use float noise off it."
            )
        clean, noisy = pixels.flatten(1), out.view(len(out), -1)
        if device == "cpu":
            views = (clean.numpy(), image_ids.numpy(), rows.numpy(), draws.numpy())
            cpu.perturb(*views, self.seed, self.noise, noisy.numpy())
        else:
            kernel = _accelerated(device)
            kernel(clean, image_ids, rows, draws, self.seed, self.noise, noisy)


@lru_cache
def _accelerated(device: str) -> Kernel:
    """Return the fastest kernel that can be imported for a kind of device; all write the same bits."""
    if device == "cuda" and find_spec("triton") is not None:
        return import_module("certd.noise.cuda").perturb  # type: ignore[no-any-return]
    return reference.perturb
