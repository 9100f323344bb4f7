"""Shifted and mirrored copies of training images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import pad

if TYPE_CHECKING:
    from torch import Tensor

PADDING_SHARE = 8
"""A CIFAR image of 32 pixels is padded by 4, as everybody does."""


def crop_and_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shift each image by up to an eighth of its side, zeros coming in, and mirror every second one.

    Args:
        images: ``[image, channel, height, width]``.
        generator: The only source of randomness.
    """
    _, _, height, width = images.shape
    margin = max(1, width // PADDING_SHARE)
    padded = pad(images, (margin,) * 4)
    shifts = torch.randint(2 * margin + 1, (len(images), 2), generator=generator).tolist()
    mirrored = (torch.rand(len(images), generator=generator) < 0.5).tolist()
    parts = []
    for image, (down, right), mirror in zip(padded, shifts, mirrored, strict=True):
        part = image[:, down : down + height, right : right + width]
        parts.append(part.flip(2) if mirror else part)
    return torch.stack(parts)
