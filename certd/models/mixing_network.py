"""The mixing network: chooses, for each image, the weight of the robust classifier within a range."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from certd.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

HIDDEN = 32


class MixingNetwork(nn.Module):
    """``a(x) = lo + (hi - lo) sigmoid(c1 BN(policy(x)) + c0)``.

    The policy reads the logarithms of both classifiers' probabilities. The batch normalisation keeps its
    output where the sigmoid is steep, so that training does not end at one end of the range at once; ``c1``
    and ``c0`` are its scale and shift. Whatever the policy says, the weight stays in the range, and a
    certificate rests on the range's lower end alone.

    Args:
        num_classes: Of both classifiers.
        low: Least weight, in [0, 1].
        high: Greatest weight, at least ``low``.
        hidden: Width of the policy.

    References:
        Bai, Anderson, Kim and Sojoudi (2023), arXiv:2301.12554, section on adaptive smoothing strength.
    """

    def __init__(self, num_classes: int, low: float, high: float, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.low, self.high = low, high
        self.policy = nn.Sequential(nn.Linear(2 * num_classes, hidden), nn.ReLU(), nn.Linear(hidden, 1))
        self.norm = nn.BatchNorm1d(1)

    def forward(self, standard: torch.Tensor, robust: torch.Tensor) -> torch.Tensor:
        """Return weights in [low, high], float[image], from log-probabilities ``[image, class]``."""
        raw = self.policy(torch.cat([standard, robust], dim=1))
        share = torch.sigmoid(self.norm(raw)).squeeze(1)
        return self.low + (self.high - self.low) * share

    @classmethod
    def of(
        cls, state: Mapping[str, torch.Tensor], num_classes: int, low: float, high: float
    ) -> MixingNetwork:
        """Return the network with stored weights, in eval mode.

        Raises:
            ModelError: If the weights are those of something else.
        """
        try:
            network = cls(num_classes, low, high, len(state["policy.0.bias"]))
            network.load_state_dict(dict(state))
        except (KeyError, RuntimeError) as error:
            raise ModelError(
                f"These are not the weights of a mixing network for {num_classes} classes: {error}. "
                "Train one with certd.training.train_mixing_network."
            ) from error
        return network.eval().requires_grad_(requires_grad=False)
