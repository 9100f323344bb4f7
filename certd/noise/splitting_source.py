"""Draw splitting noise: the noisy copies of a deterministic certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from certd.errors import InvalidParameter, OutOfRange
from certd.noise.operands import check_operands
from certd.noise.quantized import LEVELS

if TYPE_CHECKING:
    from torch import Tensor

    from certd.noise.splitting import SplittingNoise


class SplittingNoiseSource:
    """Splitting noise behind the sampler's interface: draw s is the copy of split s, alike for all images.

    Args:
        noise: Where the split points stand.
    """

    arithmetic = "quantized"

    def __init__(self, noise: SplittingNoise) -> None:
        self.noise = noise

    def perturb(self, pixels: Tensor, image_ids: Tensor, rows: Tensor, draws: Tensor, out: Tensor) -> None:
        """Write the middle of the interval each pixel lies in; see ``NoiseSource.perturb``.

        Exact: every value is a multiple of 1/4.

        Raises:
            OutOfRange: If a draw is none of ``0, ..., levels - 1``.
        """
        check_operands(pixels, image_ids, rows, draws, out)
        if pixels.dtype != torch.uint8:
            raise InvalidParameter(f"Splitting noise takes uint8 images; got {pixels.dtype}.")
        splits = draws.to(torch.int64).unsqueeze(1)
        if len(draws) and int(splits.max()) >= self.noise.levels:
            raise OutOfRange(
                f"There are {self.noise.levels} copies of an image; got draw {int(splits.max())}."
            )
        clean = pixels.flatten(1)[rows].to(torch.int64)
        out.view(len(out), -1).copy_(self._middles(clean, splits))

    def _middles(self, clean: Tensor, splits: Tensor) -> Tensor:
        """Return the middle of ``[lower, upper]``, the neighbouring split points or the ends of the scale."""
        levels = self.noise.levels
        offsets = torch.from_numpy(self.noise.offsets(clean.shape[1])).to(clean.device)
        start = (splits + offsets) % levels
        lower = start + levels * ((clean - start - 1) // levels) + 0.5
        return (lower.clamp(min=0) + (lower + levels).clamp(max=LEVELS)) / 2
