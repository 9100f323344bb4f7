"""Estimate the batch-norm statistics of a soup on noisy images, and keep them in a file."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import safetensors.torch
import torch

from certd.errors import InvalidParameter
from certd.models.soup_loading import average
from certd.models.soup_specification import Calibration
from certd.models.soups import RUNNING_VARIANCE, reestimate_batch_norm, require_variances

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from certd.datasets import Dataset
    from certd.models.base_classifier import BaseClassifier

STATISTICS = frozenset({RUNNING_VARIANCE, "running_mean"})
LEVELS = 255.0


def estimate_statistics(  # noqa: PLR0913 - a soup, and what to estimate it on
    ingredients: Sequence[BaseClassifier],
    weights: Sequence[int],
    units: int,
    images: Dataset,
    *,
    sigma: float,
    seed: int,
    batch_size: int,
) -> tuple[Calibration, bytes]:
    """Return how the statistics of a soup were estimated, and the safetensors file that holds them.

    Args:
        ingredients: Loaded models of one architecture; the first one's weights are replaced by the soup's.
        weights: In steps of ``1 / units``, one an ingredient.
        units: Steps of one whole.
        images: Calibration images; a certificate of the soup should not be about them.
        sigma: Noise added to them, input units; that of the certification.
        seed: Of that noise.
        batch_size: Images of one pass.

    Raises:
        InvalidParameter: If the network has no batch normalisation, or the soup is none.
    """
    module = average(ingredients, weights, units, checked=False)
    if not any(name.rpartition(".")[2] in STATISTICS for name in module.state_dict()):
        raise InvalidParameter("This network has no batch normalisation; leave the calibration out.")
    reestimate_batch_norm(module, _noisy(images, sigma, seed, batch_size))
    state = module.state_dict()
    require_variances(state)
    content = safetensors.torch.save(
        {name: values.cpu().contiguous() for name, values in state.items()
         if name.rpartition(".")[2] in STATISTICS}
    )  # fmt: skip
    return (
        Calibration(
            dataset=images.name,
            image_ids=tuple(int(each) for each in images.image_ids),
            sigma=sigma,
            seed=seed,
            batch_size=batch_size,
            statistics=hashlib.sha256(content).hexdigest(),
        ),
        content,
    )


def _noisy(images: Dataset, sigma: float, seed: int, batch_size: int) -> Iterator[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    for start in range(0, len(images), batch_size):
        pixels = torch.from_numpy(images.images[start : start + batch_size]).float() / LEVELS
        yield pixels + sigma * torch.randn(pixels.shape, generator=generator)
