"""How often a network recognises its own training images under noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn

    from certd.datasets import Dataset, LazyDataset


def to_pixels(dataset: Dataset | LazyDataset, positions: Tensor) -> Tensor:
    """Read images as pixels in [0, 1], float32[image, channel, height, width]."""
    return torch.from_numpy(dataset.images[positions.numpy()]).float() / 255


@torch.no_grad()
def count_labels(  # noqa: PLR0913 - a network, images, noise, and how many at once
    classifier: nn.Module,
    dataset: Dataset | LazyDataset,
    positions: Tensor,
    *,
    sigma: float,
    draws: int,
    generator: torch.Generator,
    copies: int,
) -> Tensor:
    """Count the noisy copies of each image that get its label.

    This estimates p_y for the choice of training images. It certifies nothing, so float noise serves.

    Args:
        classifier: Maps pixels in [0, 1] to logits; evaluated without dropout or statistics of the batch.
        dataset: Labelled images.
        positions: Which of them, int64[image].
        sigma: Noise level, input units.
        draws: Noisy copies of each image.
        generator: The only source of randomness; its device is where the network is.
        copies: Noisy copies of one forward pass, about.

    Returns:
        int64[image] in [0, draws].
    """
    assert dataset.labels is not None  # noqa: S101 - checked before training begins
    labels = torch.from_numpy(dataset.labels)
    was_training = classifier.training
    classifier.eval()
    counts = []
    for part in torch.split(positions, max(1, copies // draws)):
        repeated = to_pixels(dataset, part).to(generator.device).repeat_interleave(draws, dim=0)
        noise = torch.randn(repeated.shape, generator=generator, device=generator.device)
        voted = classifier(repeated + sigma * noise).argmax(1).view(len(part), draws)
        counts.append((voted == labels[part].to(generator.device)[:, None]).sum(1).cpu())
    classifier.train(was_training)
    return torch.cat(counts)
