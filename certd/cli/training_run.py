"""A training run of the command line: its state in a file beside the weights until they are written."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from certd.cli import options
from certd.errors import Conflict, InvalidParameter
from certd.settings import load_settings
from certd.smoothing.options import invalid_parameter

if TYPE_CHECKING:
    from certd.datasets import Dataset, LazyDataset
    from certd.models import BaseClassifier
    from certd.models.specification import ModelSpecification
    from certd.training import Epoch, TrainingPreset, TrainingState


@dataclass(frozen=True, slots=True)
class Normalisation:
    """What is subtracted from pixels and divides them."""

    preset: str | None
    mean: str | None
    std: str | None

    def moments(self, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return mean and std: stated, of the preset, or 0 and 1, which leave pixels as they are."""
        from certd.models.presets import find_preset

        preset = None if self.preset is None else find_preset(self.preset)
        mean = options.parse_numbers("--mean", self.mean) or (preset.mean if preset else (0.0,) * channels)
        std = options.parse_numbers("--std", self.std) or (preset.std if preset else (1.0,) * channels)
        return mean, std


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """What is trained, on what, and where it goes.

    Attributes:
        architecture: Of the fresh network.
        images: Labelled images.
        training: Recipe and settings.
        out: File of the weights; the sidecar and, until the end, the state lie beside it.
        name: Of the model.
        normalisation: Inside the model.
        device: A torch device name.
        judge: Counts labels before the first epoch, where a recipe needs it.
    """

    architecture: str
    images: Dataset | LazyDataset
    training: TrainingPreset
    out: Path
    name: str
    normalisation: Normalisation
    device: str = "cpu"
    judge: BaseClassifier | None = None

    def go(self, *, resume: bool) -> ModelSpecification:
        """Train to the end and write the model.

        Raises:
            Conflict: If there is an unfinished run and ``resume`` is not given.
            CertdError: As :func:`certd.training.train` does.
        """
        import torch

        from certd.training import TrainingState, train
        from certd.training.network import fresh_classifier, write_model

        torch.set_num_threads(load_settings().threads)
        settings, specification = self.training.settings, self._specification()
        classifier = fresh_classifier(
            self.architecture, specification.input_shape, specification.num_classes,
            mean=specification.mean, std=specification.std, seed=settings.seed,
        )  # fmt: skip
        saved, run = self.out.with_suffix(".training"), self._described(specification)
        state = TrainingState.read(saved, run) if resume and saved.exists() else None
        if state is None and saved.exists():
            raise Conflict(f"{saved} holds an unfinished run. Add --resume to go on with it, or delete it.")

        def on_epoch(epoch: Epoch, state: TrainingState) -> None:
            state.write(saved)
            _show(epoch, settings.epochs)

        train(
            classifier, self.images, self.training.recipe, settings, device=self.device,
            judge=None if self.judge is None else self.judge.module, run=run, state=state, on_epoch=on_epoch,
        )  # fmt: skip
        written = write_model(classifier, specification, self.out)
        saved.unlink(missing_ok=True)
        return written

    def _described(self, specification: ModelSpecification) -> str:
        """Return all that determines the weights, as text; a state of another run is not gone on with."""
        import torch

        from certd.datasets import selection_digest

        data = f"{self.images.name} {selection_digest(self.images.image_ids)}"
        judge = "no judge" if self.judge is None else self.judge.reference
        return (
            f"{specification.model_dump_json()} {data} {self.training.settings.model_dump_json()} "
            f"{self.training.recipe} {judge} {torch.device(self.device).type}"
        )

    def _specification(self) -> ModelSpecification:
        from certd.models.specification import ModelSpecification

        if self.images.labels is None:
            raise InvalidParameter(f"{self.images.name} has no labels; training needs them.")
        mean, std = self.normalisation.moments(self.images.input_shape[0])
        members = {
            "name": self.name,
            "architecture": self.architecture,
            "uri": self.out.name,
            "sha256": "0" * 64,
            "input_shape": self.images.input_shape,
            "num_classes": max(len(self.images.class_names), int(self.images.labels.max()) + 1, 2),
            "mean": mean,
            "std": std,
            "training_sigma": self.training.recipe.sigma,
            "description": self._description(),
        }
        try:
            return ModelSpecification.model_validate(members)
        except ValidationError as error:
            raise invalid_parameter(error) from None

    def _description(self) -> str:
        from certd.training import EasyImages

        text = f"{self.architecture} trained on {self.images.name} under Gaussian noise"
        if isinstance(self.training.recipe, EasyImages):
            return f"{text}, on easy images alone (arXiv:2410.06895): its ACR says nothing about hard ones."
        return f"{text}."


def _show(epoch: Epoch, epochs: int) -> None:
    sys.stderr.write(
        f"epoch {epoch.number:>3} of {epochs}  loss {epoch.loss:.4f}  accuracy under noise "
        f"{epoch.noisy_accuracy:.4f}  images {epoch.images:,}  learning rate {epoch.learning_rate:.2g}\n"
    )
