"""Two executions of one classifier side by side: on which noisy copies do they differ?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


class Comparison:
    """Classify by two executions, and vote for class 0 where they agree and for class 1 where they differ.

    Args:
        one: From noisy images to logits.
        other: The same of the other execution; copies are not changed between the two.
    """

    def __init__(self, one: Callable[[Tensor], Tensor], other: Callable[[Tensor], Tensor]) -> None:
        self._one = one
        self._other = other

    def __call__(self, noisy: Tensor) -> Tensor:
        """Return float32[batch_size, 2]: 1 at the vote, 0 beside it; NaN where logits are not finite."""
        logits = self._one(noisy)
        first, broken = logits.argmax(dim=1), ~torch.isfinite(logits).all(dim=1)
        logits = self._other(noisy)
        broken |= ~torch.isfinite(logits).all(dim=1)
        votes = torch.nn.functional.one_hot((logits.argmax(dim=1) != first).long(), 2).float()
        return votes.masked_fill(broken[:, None], float("nan"))
