"""The loop: epochs of steps, each a function of the seed and of what was before it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from certd.errors import InvalidParameter, ModelError
from certd.training.augmentation import crop_and_flip
from certd.training.counting import count_labels, to_pixels
from certd.training.served import ServedImages
from certd.training.state import TrainingState

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from certd.datasets import Dataset, LazyDataset
    from certd.training.recipe import CountLabels, Recipe
    from certd.training.settings import TrainingSettings

MILESTONES = 3
NO_JUDGE = (
    "Images are to be discarded before the first epoch, when the network knows nothing. Name a trained model "
    "as the judge, or discard after some epochs."
)


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one pass over the data showed.

    Attributes:
        number: From 1.
        loss: Mean over the images.
        noisy_accuracy: Part of the noisy copies recognised as the recipe showed them, in [0, 1].
        learning_rate: In this epoch.
        images: Images that are still served; fewer than the set holds once some were discarded.
    """

    number: int
    loss: float
    noisy_accuracy: float
    learning_rate: float
    images: int


def train(  # noqa: PLR0913 - what is trained, on what, how, where, and who watches
    classifier: nn.Module,
    dataset: Dataset | LazyDataset,
    recipe: Recipe,
    settings: TrainingSettings,
    *,
    device: str | torch.device = "cpu",
    judge: nn.Module | None = None,
    run: str = "",
    state: TrainingState | None = None,
    on_epoch: Callable[[Epoch, TrainingState], None] | None = None,
) -> None:
    """Train ``classifier`` in place.

    Which images an epoch serves, their order, augmentation and noise follow from the seed, the epoch's number
    and the state before it, so that a run which went on from a saved state ends, on one thread of a CPU, with
    the weights of an undisturbed one, wherever it was stopped. On a GPU this holds as far as its kernels are
    deterministic, and the noise is another than on a CPU.

    Args:
        classifier: Maps pixels in [0, 1] to logits, normalisation inside; moved to ``device``.
        dataset: Labelled images.
        recipe: What an epoch serves, and what a step makes of a batch.
        settings: How to train.
        device: Where to train, as torch names devices.
        judge: Counts labels before the first epoch, when a fresh ``classifier`` knows nothing; to go on from
            trained weights, give ``classifier`` itself.
        run: What to call the run in its states.
        state: Where to go on.
        on_epoch: Called after each epoch with what it showed and where the run stands; may raise to stop.

    Raises:
        InvalidParameter: If the data have no labels, a batch holds no image, or the recipe counts labels
            before the first epoch and there is no judge.
        ModelError: If the loss is no longer finite, or the recipe leaves no image.
    """
    if dataset.labels is None:
        raise InvalidParameter(f"{dataset.name} has no labels; training needs them.")
    if settings.batch_size < recipe.draws:
        raise InvalidParameter(
            f"A batch of {settings.batch_size} copies cannot hold {recipe.draws} draws of one image."
        )
    classifier.to(device)
    optimizer = _optimizer(classifier, settings)
    served = ServedImages(len(dataset))
    if state is not None:
        state.restore(classifier, optimizer)
        served = ServedImages(len(dataset), **state.served)
    passes = _Passes(classifier, dataset, recipe, settings, optimizer, torch.device(device))
    for number in range(1 if state is None else state.epoch + 1, settings.epochs + 1):
        rate = learning_rate(settings, number)
        for group in optimizer.param_groups:
            group["lr"] = rate
        judging = judge if number == 1 else classifier
        served = recipe.serve(number - 1, served, passes.counter(judging, number))
        loss, accuracy = passes.epoch(served, number)
        if on_epoch is not None:
            epoch = Epoch(number, loss, accuracy, rate, len(served.positions))
            on_epoch(epoch, TrainingState.of(run, number, classifier, optimizer, served))


def learning_rate(settings: TrainingSettings, epoch: int) -> float:
    """Return the learning rate of an epoch, counted from 1."""
    done = (epoch - 1) / settings.epochs
    match settings.schedule:
        case "cosine":
            return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
        case "step":
            # In whole numbers: 58 / 174 * 3 is a little less than 1.
            return float(settings.learning_rate * 0.1 ** ((epoch - 1) * MILESTONES // settings.epochs))
        case "constant":
            return settings.learning_rate


def _optimizer(classifier: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        [parameter for parameter in classifier.parameters() if parameter.requires_grad],
        lr=settings.learning_rate,
        momentum=settings.momentum,
        nesterov=settings.nesterov and settings.momentum > 0,
        weight_decay=settings.weight_decay,
    )


@dataclass(frozen=True, slots=True)
class _Passes:
    """Passes over the data: those that train, and those that count labels."""

    classifier: nn.Module
    dataset: Dataset | LazyDataset
    recipe: Recipe
    settings: TrainingSettings
    optimizer: torch.optim.Optimizer
    device: torch.device

    def counter(self, judging: nn.Module | None, number: int) -> CountLabels:
        """Return what counts labels before epoch ``number``, with draws of its own for each purpose."""

        def count(positions: Tensor, draws: int, purpose: int) -> Tensor:
            if judging is None:
                raise InvalidParameter(NO_JUDGE)
            return count_labels(
                judging.to(self.device), self.dataset, positions, sigma=self.recipe.sigma, draws=draws,
                generator=self._generator(number, purpose), copies=self.settings.batch_size,
            )  # fmt: skip

        return count

    def epoch(self, served: ServedImages, number: int) -> tuple[float, float]:
        """Make one training pass; return the mean loss and the accuracy under the recipe."""
        generator = torch.Generator().manual_seed(_seed(self.settings.seed, number))
        noise = generator if self.device.type == "cpu" else self._generator(number)
        order = served.order(generator)
        # Sums stay on the device: to read one out after every step would make a GPU wait for each.
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        right = torch.zeros((), dtype=torch.int64, device=self.device)
        self.classifier.train()
        for batch in torch.split(order, self.settings.batch_size // self.recipe.draws):
            loss, recognised = self._step(batch, number - 1, generator, noise)
            total += loss.double() * len(batch)
            right += recognised.sum()
        self.classifier.eval()
        mean = float(total) / len(order)
        if not math.isfinite(mean):
            raise ModelError(f"The loss is no longer finite in epoch {number}; try a smaller learning rate.")
        return mean, int(right) / (len(order) * self.recipe.draws)

    def _step(
        self, batch: Tensor, done: int, generator: torch.Generator, noise: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        assert self.dataset.labels is not None  # noqa: S101 - checked before training begins
        images = to_pixels(self.dataset, batch)
        if self.settings.augment == "crop-flip":
            images = crop_and_flip(images, generator)
        labels = torch.from_numpy(self.dataset.labels[batch.numpy()]).to(self.device)
        loss, recognised = self.recipe.loss(self.classifier, images.to(self.device), labels, noise, done)
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.optimizer.step()
        return loss.detach(), recognised

    def _generator(self, number: int, purpose: int = 0) -> torch.Generator:
        return torch.Generator(self.device).manual_seed(_seed(self.settings.seed, number, purpose))


def _seed(seed: int, number: int, purpose: int = 0) -> int:
    """Return a seed for each epoch and purpose, unlike those of other runs, which would share their noise."""
    members = [seed, number, purpose] if purpose else [seed, number]
    return int(np.random.SeedSequence(members).generate_state(1, np.uint64)[0] >> 1)
