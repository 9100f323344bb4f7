"""A base classifier as the sampler meets it: from the noise buffer to logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class OnGrid(nn.Module):
    """Shape the buffer's rows, apply the first part in float32, convert, apply the network.

    Args:
        first: From the scale of 0..255 to the network's input, in float32.
        network: The rest, in ``dtype``.
        input_shape: Channel, height, width.
        dtype: Type of the network's weights and activations.
        memory_format: Layout of the network's images.
    """

    def __init__(
        self,
        first: nn.Module,
        network: nn.Module,
        input_shape: tuple[int, int, int],
        dtype: torch.dtype,
        memory_format: torch.memory_format,
    ) -> None:
        super().__init__()
        self.first = first
        self.network = network
        self._input_shape = input_shape
        self._dtype = dtype
        self._memory_format = memory_format

    def forward(self, noisy: Tensor) -> Tensor:
        """Return float32 logits ``[row, class]`` of noisy images ``[row, dimension]``, on 0..255."""
        logits: Tensor = self.raw(noisy).float()
        return logits

    def raw(self, noisy: Tensor) -> Tensor:
        """Return the logits in the type the network gives them."""
        levels = noisy.view(-1, *self._input_shape).float()
        inputs = self.first(levels).to(self._dtype, memory_format=self._memory_format)
        logits: Tensor = self.network(inputs)
        return logits
