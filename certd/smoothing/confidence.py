"""Add up, on the device, how sure the base classifier is, beside the votes that it casts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from certd.smoothing.votes import BINS, LOSS_SCALE, MOST_LOSS, SCALE, ConfidenceSums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

WRONG_AND_RIGHT = 2


class ConfidenceCounter:
    """Sums of the softmax over draws, from the logits that cast the votes: no further forward pass.

    Sums are integers, so they do not depend on the order of draws. They do depend on the batch size, as the
    last bits of logits do; a certification names it.

    Args:
        labels: Of the image of each request.
        num_classes: Logits of a draw.
        device: Where the logits are.
    """

    def __init__(self, labels: Sequence[int], num_classes: int, device: str) -> None:
        self._labels = torch.tensor(labels, dtype=torch.int64, device=device)
        requests = len(labels)
        self._scores = torch.zeros(requests, num_classes, dtype=torch.int64, device=device)
        self._squares = torch.zeros_like(self._scores)
        self._draws = torch.zeros(requests * WRONG_AND_RIGHT * BINS, dtype=torch.int64, device=device)
        self._confidence = torch.zeros_like(self._draws)
        self._loss = torch.zeros(requests, dtype=torch.int64, device=device)

    def add(self, owner: Tensor, logits: Tensor) -> None:
        """Count one batch: which request each row belongs to, and its logits."""
        # Logits that are no numbers end the job elsewhere, with the evidence; here they must find a bin.
        wide = torch.nan_to_num(logits.double())
        scores = wide.softmax(dim=1)
        self._scores.index_add_(0, owner, (scores * SCALE).long())
        self._squares.index_add_(0, owner, (scores.square() * SCALE).long())
        sure, labels = scores.max(dim=1).values, self._labels[owner]
        right = (logits.argmax(dim=1) == labels).long()
        cells = (owner * WRONG_AND_RIGHT + right) * BINS + (sure * BINS).long().clamp(max=BINS - 1)
        self._draws.scatter_add_(0, cells, torch.ones_like(owner))
        self._confidence.scatter_add_(0, cells, (sure * SCALE).long())
        loss = -wide.log_softmax(dim=1).gather(1, labels[:, None])[:, 0]
        self._loss.index_add_(0, owner, (loss.clamp(max=MOST_LOSS) * LOSS_SCALE).long())

    def sums(self) -> list[ConfidenceSums]:
        """Read everything back, one value a request."""
        shape = (-1, WRONG_AND_RIGHT, BINS)
        scores, squares, loss = (part.cpu().numpy() for part in (self._scores, self._squares, self._loss))
        draws, confidence = (part.reshape(shape).cpu().numpy() for part in (self._draws, self._confidence))
        return [
            ConfidenceSums(scores[i], squares[i], draws[i], confidence[i], int(loss[i]))
            for i in range(len(scores))
        ]
