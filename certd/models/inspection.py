"""Look at a model before anything is spent on it: does it see what it was trained to see?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import torch

from certd.datasets.label_alignment import misaligned_labels, near_chance
from certd.errors import InvalidParameter, ShapeMismatch
from certd.models.normalized import Normalized
from certd.models.presets import PRESETS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import nn

    from certd.datasets import Dataset, LazyDataset
    from certd.models.base_classifier import BaseClassifier

BATCH_SIZE = 100


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
    clean = _predict(classifier.module, images)
    noisy = _predict(classifier.module, images + sigma * noise)
    clean_accuracy, noisy_accuracy = float(np.mean(clean == labels)), float(np.mean(noisy == labels))
    warnings = (
        *_normalisation_warnings(classifier.module, images, labels, clean_accuracy),
        *_clean_warnings(clean, labels, classifier.num_classes),
        *_noise_warnings(classifier, clean_accuracy, noisy_accuracy, sigma),
    )
    return Inspection(
        reference=classifier.reference,
        input_shape=classifier.input_shape,
        num_classes=classifier.num_classes,
        num_parameters=sum(parameter.numel() for parameter in classifier.module.parameters()),
        arithmetic=_arithmetic(classifier.module),
        num_images=len(labels),
        sigma=sigma,
        clean_accuracy=clean_accuracy,
        noisy_accuracy=noisy_accuracy,
        warnings=warnings,
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


def _predict(module: nn.Module, images: torch.Tensor) -> NDArray[np.int64]:
    device = next(chain(module.parameters(), module.buffers()), images).device
    with torch.inference_mode():
        classes = [module(batch.to(device)).argmax(1).cpu() for batch in torch.split(images, BATCH_SIZE)]
    predictions: NDArray[np.int64] = torch.cat(classes).numpy()
    return predictions


def _normalisation_warnings(
    module: nn.Module, images: torch.Tensor, labels: NDArray[np.int64], accuracy: float
) -> Iterator[str]:
    """Warn if another normalisation recognises more images, by three standard errors of the difference."""
    if not isinstance(module, Normalized):
        return
    found = {
        name: float(np.mean(_predict(other, images) == labels))
        for name, other in _other_normalisations(module, images.shape[1])
    }
    best = max(found, key=lambda name: found[name])
    if found[best] > accuracy + 3 * math.sqrt(0.5 / len(labels)):
        yield f"Accuracy is {accuracy:.1%} as normalised, but {found[best]:.1%} {best}."


def _other_normalisations(module: Normalized, channels: int) -> Iterator[tuple[str, nn.Module]]:
    yield "without: the network seems to normalise by itself, and twice is once too often", module.network
    for name, preset in PRESETS.items():
        if len(preset.mean) == channels:
            other = Normalized(module.network, preset.mean, preset.std)
            yield f"with the preset {name}", other.to(module.mean.device)


def _clean_warnings(
    predictions: NDArray[np.int64], labels: NDArray[np.int64], num_classes: int
) -> Iterator[str]:
    if labels.max() >= num_classes:
        yield f"The set has labels up to {labels.max()}, but the model has {num_classes} classes."
    accuracy = float(np.mean(predictions == labels))
    if near_chance(accuracy, num_classes):
        yield (
            misaligned_labels(predictions, labels, num_classes)
            or f"Accuracy without noise is {accuracy:.1%}, close to guessing: check normalisation, the "
            "order of colour channels, and what the labels mean."
        )


def _noise_warnings(classifier: BaseClassifier, clean: float, noisy: float, sigma: float) -> Iterator[str]:
    specification = classifier.specification
    trained = None if specification is None else specification.training_sigma
    if trained is not None and trained != sigma:
        yield f"Trained under noise of sigma {trained:g}, and looked at under {sigma:g}."
    if near_chance(noisy, classifier.num_classes) and not near_chance(clean, classifier.num_classes):
        yield (
            f"Accuracy falls from {clean:.1%} to {noisy:.1%} under noise of sigma {sigma:g}: the model seems "
            "not to be trained for it, and almost every image would abstain or be certified as a wrong class."
        )


def _arithmetic(module: nn.Module) -> str:
    types = {str(tensor.dtype).removeprefix("torch.") for tensor in module.parameters()}
    return ", ".join(sorted(types)) or "unknown: the weights are inside another runtime"
