"""One uniform a draw, apart from the noise: turns a soft vote into one honest hard vote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from certd.noise import cpu, philox
from certd.noise.quantized import ONE

if TYPE_CHECKING:
    from torch import Tensor

# The stream of another key: no coordinate of any image's noise is ever used twice.
KEY = 0x5C0FFEE5_0F7B17E5


def sample_classes(
    probabilities: Tensor, image_ids: Tensor, rows: Tensor, draws: Tensor, seed: int
) -> Tensor:
    """Draw one class a row with the row's probabilities, reproducibly.

    Args:
        probabilities: float64[row, class], each row summing to one.
        image_ids: Name of each image, uint64[image].
        rows: Which image each row shows, int64[row].
        draws: Draw index of each row, uint32[row].
        seed: Seed of the job, in [0, 2**64).

    Returns:
        int64[row] in [0, class).
    """
    chosen = image_ids.view(torch.int64)[rows].view(torch.uint64)
    uniforms = _uniforms(chosen, draws, seed ^ KEY).to(torch.float64) / ONE
    below = (probabilities.cumsum(dim=1) <= uniforms).sum(dim=1)
    return below.clamp(max=probabilities.shape[1] - 1)


def _uniforms(image_ids: Tensor, draws: Tensor, seed: int) -> Tensor:
    if image_ids.device.type == "cpu":
        return torch.from_numpy(cpu.uniforms(image_ids.numpy(), draws.numpy(), seed, 1))
    return philox.uniforms(image_ids, draws, seed, 1)
