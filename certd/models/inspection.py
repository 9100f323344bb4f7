"""Look at a model before anything is spent on it: does it see what it was trained to see?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from certd.errors import InvalidParameter, ShapeMismatch
from certd.models.doubts import Trial, doubts, predict

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from certd.datasets import Dataset, LazyDataset
    from certd.models.base_classifier import BaseClassifier


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a sample says about a base classifier; accuracies are estimates, and certify nothing.

    Attributes:
        reference: ``name@sha256:digest``.
        input_shape: Channel, height and width.
        num_classes: Number of logits.
        num_parameters: Weights, buffers not counted.
        arithmetic: Types of the weights.
        num_images: Images looked at.
        sigma: Noise level of ``noisy_accuracy``.
        clean_accuracy: Part of the images recognised without noise, in ``[0, 1]``.
        noisy_accuracy: Part recognised under one draw of Gaussian noise each.
        warnings: One sentence for each thing that looks wrong.
    """

    reference: str
    input_shape: tuple[int, int, int]
    num_classes: int
    num_parameters: int
    arithmetic: str
    num_images: int
    sigma: float
    clean_accuracy: float
    noisy_accuracy: float
    warnings: tuple[str, ...]


def inspect_model(
    classifier: BaseClassifier,
    dataset: Dataset | LazyDataset,
    sigma: float,
    *,
    num_images: int = 500,
    seed: int = 0,
) -> Inspection:
    """Measure a classifier on a random sample of a labelled set, with and without noise.

    Args:
        classifier: Any base classifier.
        dataset: Labelled images of the classifier's shape.
        sigma: Noise level, in pixel units of ``[0, 1]``; positive.
        num_images: Most images to look at; below 100 the warnings are of little worth.
        seed: Chooses the images and the noise.

    Raises:
        InvalidParameter: If the set has no labels, or ``sigma`` or ``num_images`` is not positive.
        ShapeMismatch: If the images do not have the classifier's shape.
    """
    _require(classifier, dataset, sigma, num_images)
    images, labels = _sample(dataset, num_images, seed)
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(seed))
    module = classifier.module
    trial = Trial(images, labels, predict(module, images), predict(module, images + sigma * noise), sigma)
    return Inspection(
        reference=classifier.reference,
        input_shape=classifier.input_shape,
        num_classes=classifier.num_classes,
        num_parameters=sum(parameter.numel() for parameter in module.parameters()),
        arithmetic=_arithmetic(module),
        num_images=len(labels),
        sigma=sigma,
        clean_accuracy=trial.clean_accuracy,
        noisy_accuracy=trial.noisy_accuracy,
        warnings=tuple(doubts(classifier, trial)),
    )


def _require(
    classifier: BaseClassifier, dataset: Dataset | LazyDataset, sigma: float, num_images: int
) -> None:
    if dataset.labels is None:
        raise InvalidParameter(f"{dataset.name} has no labels, so nothing can be said about accuracy on it.")
    if not (sigma > 0 and math.isfinite(sigma) and num_images >= 1):
        raise InvalidParameter(f"sigma and num_images must be positive, not {sigma} and {num_images}.")
    if dataset.input_shape != tuple(classifier.input_shape):
        raise ShapeMismatch(
            f"{classifier.name} takes {classifier.input_shape}; {dataset.name} has {dataset.input_shape}."
        )


def _sample(
    dataset: Dataset | LazyDataset, num_images: int, seed: int
) -> tuple[torch.Tensor, NDArray[np.int64]]:
    """Return images in ``[0, 1]`` and labels, drawn at random: a set may be sorted by class or cycle."""
    if dataset.labels is None:
        raise AssertionError("labels were required")
    positions = np.sort(np.random.default_rng(seed).permutation(len(dataset))[:num_images])
    return torch.from_numpy(dataset.images[positions]).float() / 255, dataset.labels[positions]


def _arithmetic(module: nn.Module) -> str:
    types = {str(tensor.dtype).removeprefix("torch.") for tensor in module.parameters()}
    return ", ".join(sorted(types)) or "unknown: the weights are inside another runtime"
