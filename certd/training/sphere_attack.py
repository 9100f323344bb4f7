"""Noise turned, on the sphere of its own length, to where the network errs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

if TYPE_CHECKING:
    from torch import Tensor, nn


def attack_on_sphere(  # noqa: PLR0913 - a network, a batch, and the budget
    classifier: nn.Module,
    images: Tensor,
    labels: Tensor,
    noise: Tensor,
    *,
    steps: int,
    step_size: float,
) -> Tensor:
    """Return noise of the same length that the network finds harder.

    Each step goes ``step_size`` along the normalised gradient of the cross-entropy and back to the sphere. A
    copy that is misclassified is left as it is, from the first step on. No weight gets a gradient; the
    network is evaluated as in use, without dropout or statistics of the batch.

    Args:
        classifier: Maps pixels in [0, 1], noise included, to logits.
        images: Clean pixels, float32[copy, channel, height, width].
        labels: int64[copy].
        noise: As drawn, of the shape of the images, input units.
        steps: Steps T; 0 returns the noise.
        step_size: Length of one step, input units.

    Returns:
        Noise whose l2 length is, copy by copy, that of ``noise`` up to rounding.

    References:
        Sun, Mao, Mueller and Vechev (2025), arXiv:2410.06895.
    """
    was_training = classifier.training
    classifier.eval()
    radius, found = _length(noise), noise
    for _ in range(steps):
        start = found.detach().requires_grad_()
        logits = classifier(images + start)
        right = logits.argmax(1) == labels
        (gradient,) = torch.autograd.grad(cross_entropy(logits, labels, reduction="sum"), start)
        moved = _on_sphere(found + step_size * _direction(gradient), radius, found)
        found = torch.where(right.view(-1, 1, 1, 1), moved, found)
    classifier.train(was_training)
    return found.detach()


def _length(vectors: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(vectors, dim=(1, 2, 3), keepdim=True)
    return length


def _direction(gradient: Tensor) -> Tensor:
    """Return gradients at length 1; one that is 0 stays 0, so that nothing moves."""
    length = _length(gradient)
    return torch.where(length > 0, gradient / length.clamp(min=torch.finfo(gradient.dtype).tiny), 0.0)


def _on_sphere(moved: Tensor, radius: Tensor, before: Tensor) -> Tensor:
    """Project onto the sphere; the centre, which has no nearest point, goes back to where it came from."""
    length = _length(moved)
    return torch.where(length > 0, moved * (radius / length.clamp(min=torch.finfo(moved.dtype).tiny)), before)
