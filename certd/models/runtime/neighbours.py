"""Is a row's answer its own? One batch is classified twice, with other neighbours the second time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from certd.errors import ModelError
from certd.models.runtime.prepared import named_failures

if TYPE_CHECKING:
    from torch import Tensor

    from certd.models.runtime.prepared import PreparedClassifier

NOISY_IMAGE = (-64, 320)
NEIGHBOURS = (0, 64), (128, 640)
"""From where to where pixels go, on the scale of 0..255: dark and flat ones, then bright and steep ones."""


def require_own_answers(prepared: PreparedClassifier, name: str) -> None:
    """Refuse a classifier whose logits for one image are not a function of that image.

    The draws of an image share batches with each other and with those of other images. Where a network looks
    across its batch, by batch-norm without running statistics or by a range taken of all activations at once,
    draws are not independent and no bound on their counts holds. One row is compared, bit for bit, in one
    place of one batch shape, so a kernel may round by the place and by the shape. What depends on other rows
    at other inputs alone is not found.

    Args:
        prepared: The classifier as executed; of one row a batch it has no neighbours, and is asked twice.
        name: What to call it in a refusal.

    Raises:
        ModelError: If the answer changes with the neighbours, or from one equal pass to the next.
        OutOfMemory: If one batch does not fit the device.
    """
    before, after = (_answer(prepared, name, neighbours) for neighbours in NEIGHBOURS)
    if _same(before, after):
        return
    if not _same(before, _answer(prepared, name, NEIGHBOURS[0])):
        raise ModelError(
            f"{name} answers one batch in two ways, so it is no function, and its counts could not be drawn "
            "again. Take what is random out of its forward pass, such as dropout that is always on."
        )
    raise ModelError(
        f"{name} answers an image by the other images of its batch as well, so draws are not independent and "
        "nothing can be certified. Let batch-norms use running statistics, and quantise statically."
    )


def _answer(prepared: PreparedClassifier, name: str, neighbours: tuple[int, int]) -> Tensor:
    """Return the logits of one fixed image in the middle of a batch of ``neighbours``."""
    row = prepared.execution.batch_size // 2
    with named_failures(name, prepared.execution):
        batch = prepared.buffer()
        batch.copy_(_pixels(batch.shape[1], neighbours))
        batch[row].copy_(_pixels(batch.shape[1], NOISY_IMAGE))
        logits = prepared(batch)
    # What has another shape than it should is refused where it is counted.
    return (logits[row : row + 1] if logits.dim() else logits).clone()


def _pixels(dimension: int, ends: tuple[int, int]) -> Tensor:
    """Return the same integers every time, float32[dimension]."""
    return torch.randint(*ends, (dimension,), generator=torch.Generator().manual_seed(0)).float()


def _same(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=0, atol=0, equal_nan=True)
