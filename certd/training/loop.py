"""The loop: epochs of steps, each a function of the seed and of what was before it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from certd.errors import InvalidParameter, ModelError
from certd.training.augmentation import crop_and_flip
from certd.training.state import TrainingState

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from certd.datasets import Dataset, LazyDataset
    from certd.training.recipe import Recipe
    from certd.training.settings import TrainingSettings

MILESTONES = 3


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one pass over the data showed.

    Attributes:
        number: From 1.
        loss: Mean over the images.
        noisy_accuracy: Part of the training images recognised as the recipe showed them, in [0, 1].
        learning_rate: In this epoch.
    """

    number: int
    loss: float
    noisy_accuracy: float
    learning_rate: float


def train(  # noqa: PLR0913 - what is trained, on what, how, and who watches
    classifier: nn.Module,
    dataset: Dataset | LazyDataset,
    recipe: Recipe,
    settings: TrainingSettings,
    *,
    run: str = "",
    state: TrainingState | None = None,
    on_epoch: Callable[[Epoch, TrainingState], None] | None = None,
) -> None:
    """Train ``classifier`` in place.

    Order of images, augmentation and noise of an epoch follow from the seed and the epoch's number alone, so
    that a run which went on from a saved state ends, on one thread, with the weights of an undisturbed one.

    Args:
        classifier: Maps pixels in [0, 1] to logits, normalisation inside.
        dataset: Labelled images.
        recipe: What a step makes of a batch.
        settings: How to train.
        run: What to call the run in its states.
        state: Where to go on.
        on_epoch: Called after each epoch with what it showed and where the run stands; may raise to stop.

    Raises:
        InvalidParameter: If the data have no labels.
        ModelError: If the loss is no longer finite.
    """
    if dataset.labels is None:
        raise InvalidParameter(f"{dataset.name} has no labels; training needs them.")
    parameters = [parameter for parameter in classifier.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(
        parameters,
        lr=settings.learning_rate,
        momentum=settings.momentum,
        nesterov=settings.momentum > 0,
        weight_decay=settings.weight_decay,
    )
    if state is not None:
        state.restore(classifier, optimizer)
    labels = torch.from_numpy(dataset.labels)
    for number in range(1 if state is None else state.epoch + 1, settings.epochs + 1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(settings, number)
        loss, accuracy = _epoch(classifier, dataset, labels, recipe, settings, optimizer, number)
        epoch = Epoch(number, loss, accuracy, learning_rate(settings, number))
        if on_epoch is not None:
            on_epoch(epoch, TrainingState.of(run, number, classifier, optimizer))


def learning_rate(settings: TrainingSettings, epoch: int) -> float:
    """Return the learning rate of an epoch, counted from 1."""
    done = (epoch - 1) / settings.epochs
    match settings.schedule:
        case "cosine":
            return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
        case "step":
            return float(settings.learning_rate * 0.1 ** int(done * MILESTONES))
        case "constant":
            return settings.learning_rate


def _epoch(  # noqa: PLR0913, PLR0917 - as train
    classifier: nn.Module,
    dataset: Dataset | LazyDataset,
    labels: Tensor,
    recipe: Recipe,
    settings: TrainingSettings,
    optimizer: torch.optim.Optimizer,
    number: int,
) -> tuple[float, float]:
    """Make one pass; return the mean loss and the accuracy under the recipe."""
    generator = torch.Generator().manual_seed(_epoch_seed(settings.seed, number))
    order = torch.randperm(len(dataset), generator=generator)
    total, right = 0.0, 0
    classifier.train()
    for batch in torch.split(order, settings.batch_size):
        images = torch.from_numpy(dataset.images[batch.numpy()]).float() / 255
        if settings.augment == "crop-flip":
            images = crop_and_flip(images, generator)
        loss, logits = recipe.loss(classifier, images, labels[batch], generator)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        total += float(loss.detach()) * len(batch)
        right += int((logits.detach().argmax(1) == labels[batch]).sum())
    classifier.eval()
    if not math.isfinite(total):
        raise ModelError(f"The loss is no longer finite in epoch {number}; try a smaller learning rate.")
    return total / len(dataset), right / len(dataset)


def _epoch_seed(seed: int, number: int) -> int:
    """Return a seed for each epoch, unlike those of other runs: their noise would otherwise be shared."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0] >> 1)
