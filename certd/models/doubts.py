"""What looks wrong about a classifier on a sample: normalisation, labels, or noise it was not trained for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import torch

from certd.datasets.label_alignment import misaligned_labels, near_chance
from certd.models.normalized import Normalized
from certd.models.presets import PRESETS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import nn

    from certd.models.base_classifier import BaseClassifier

BATCH_SIZE = 100


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """What a classifier made of a sample.

    Attributes:
        images: ``[image, channel, height, width]`` in ``[0, 1]``.
        labels: Their labels.
        clean: Classes given to them without noise.
        noisy: Classes given to them under noise.
        sigma: Level of that noise, in pixel units.
    """

    images: torch.Tensor
    labels: NDArray[np.int64]
    clean: NDArray[np.int64]
    noisy: NDArray[np.int64]
    sigma: float

    @property
    def clean_accuracy(self) -> float:
        """Return the part recognised without noise, in ``[0, 1]``."""
        return float(np.mean(self.clean == self.labels))

    @property
    def noisy_accuracy(self) -> float:
        """Return the part recognised under noise, in ``[0, 1]``."""
        return float(np.mean(self.noisy == self.labels))


def doubts(classifier: BaseClassifier, trial: Trial) -> Iterator[str]:
    """Yield one sentence for each thing that looks wrong."""
    yield from _normalisation_doubts(classifier.module, trial)
    yield from _label_doubts(trial, classifier.num_classes)
    yield from _noise_doubts(classifier, trial)


def predict(module: nn.Module, images: torch.Tensor) -> NDArray[np.int64]:
    """Return the class of each image, computed in small batches where the module is."""
    device = next(chain(module.parameters(), module.buffers()), images).device
    with torch.inference_mode():
        classes = [module(batch.to(device)).argmax(1).cpu() for batch in torch.split(images, BATCH_SIZE)]
    predictions: NDArray[np.int64] = torch.cat(classes).numpy()
    return predictions


def _normalisation_doubts(module: nn.Module, trial: Trial) -> Iterator[str]:
    """Doubt a normalisation if another recognises more by three standard errors of the difference."""
    if not isinstance(module, Normalized):
        return
    found = {
        name: float(np.mean(predict(other, trial.images) == trial.labels))
        for name, other in _other_normalisations(module, trial.images.shape[1])
    }
    best = max(found, key=lambda name: found[name])
    if found[best] > trial.clean_accuracy + 3 * math.sqrt(0.5 / len(trial.labels)):
        yield f"Accuracy is {trial.clean_accuracy:.1%} as normalised, but {found[best]:.1%} {best}."


def _other_normalisations(module: Normalized, channels: int) -> Iterator[tuple[str, nn.Module]]:
    yield "without: the network seems to normalise by itself, and twice is once too often", module.network
    for name, preset in PRESETS.items():
        if len(preset.mean) == channels:
            other = Normalized(module.network, preset.mean, preset.std)
            yield f"with the preset {name}", other.to(module.mean.device)


def _label_doubts(trial: Trial, num_classes: int) -> Iterator[str]:
    if trial.labels.max() >= num_classes:
        yield f"The set has labels up to {trial.labels.max()}, but the model has {num_classes} classes."
    if near_chance(trial.clean_accuracy, num_classes):
        yield (
            misaligned_labels(trial.clean, trial.labels, num_classes)
            or f"Accuracy without noise is {trial.clean_accuracy:.1%}, close to guessing: check the "
            "normalisation, the order of colour channels, and what the labels mean."
        )


def _noise_doubts(classifier: BaseClassifier, trial: Trial) -> Iterator[str]:
    specification = classifier.specification
    trained = None if specification is None else specification.training_sigma
    clean, noisy = trial.clean_accuracy, trial.noisy_accuracy
    if trained is not None and trained != trial.sigma:
        yield f"Trained under noise of sigma {trained:g}, and looked at under {trial.sigma:g}."
    if near_chance(noisy, classifier.num_classes) and not near_chance(clean, classifier.num_classes):
        yield (
            f"Accuracy falls from {clean:.1%} to {noisy:.1%} under noise of sigma {trial.sigma:g}: the model "
            "seems not to be trained for it, and almost every image would abstain or get a wrong class."
        )
