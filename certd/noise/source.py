"""Where the sampler gets its noise, whatever the device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

from certd.errors import InvalidParameter
from certd.noise import cpu, reference
from certd.noise.operands import check_operands, check_seed

if TYPE_CHECKING:
    from torch import Tensor

    from certd.noise.quantized import QuantizedNoise


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
            out: Receives the noisy copies, float32[row, ...], on the device of ``pixels``.

        Raises:
            InvalidParameter: If a tensor has the wrong type or is not contiguous.
            ShapeMismatch: If the shapes disagree, or a row names no image.
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
        check_operands(pixels, image_ids, rows, draws, out)
        if pixels.dtype != torch.uint8:
            raise InvalidParameter(
                f"The grid's images are uint8; got {pixels.dtype}. Use float noise off it."
            )
        clean, noisy = pixels.flatten(1), out.view(len(out), -1)
        if pixels.device.type == "cpu":
            views = (clean.numpy(), image_ids.numpy(), rows.numpy(), draws.numpy())
            cpu.perturb(*views, self.seed, self.noise, noisy.numpy())
        else:
            reference.perturb(clean, image_ids, rows, draws, self.seed, self.noise, noisy)
