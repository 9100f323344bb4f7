"""``certd train``: a network for smoothing, from a data set and a seed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from certd.cli import options
from certd.cli.images import ChosenImages
from certd.errors import Conflict, InvalidParameter
from certd.settings import load_settings
from certd.smoothing.request import invalid_parameter

if TYPE_CHECKING:
    from certd.datasets import Dataset, LazyDataset
    from certd.models.specification import ModelSpecification
    from certd.training import Epoch, TrainingSettings, TrainingState


def train(
    architecture: Annotated[
        str, typer.Argument(help="Built-in architecture, such as lenet or cifar-resnet20.")
    ],
    dataset: options.DatasetName,
    sigma: options.Sigma,
    out: Annotated[Path, typer.Option("--out", "-o", help="Write the weights here, as .safetensors.")],
    epochs: Annotated[int, typer.Option(help="Passes over the data.")] = 20,
    batch: Annotated[int, typer.Option("--batch", help="Images a step.")] = 128,
    learning_rate: Annotated[float, typer.Option("--lr", help="Learning rate at the start.")] = 0.05,
    momentum: Annotated[float, typer.Option(help="Of SGD.")] = 0.9,
    weight_decay: Annotated[float, typer.Option(help="L2 penalty.")] = 5e-4,
    schedule: Annotated[str, typer.Option(help="cosine, step or constant.")] = "cosine",
    augment: Annotated[str, typer.Option(help="none or crop-flip.")] = "none",
    seed: Annotated[int, typer.Option(help="Of weights, order and noise.")] = 0,
    limit: options.Limit = None,
    preset: options.PresetName = None,
    mean: options.Mean = None,
    std: options.Std = None,
    name: Annotated[str | None, typer.Option(help="Name of the model; by default that of the file.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after the last finished epoch.")] = False,
) -> None:
    """Train ARCHITECTURE on DATASET under Gaussian noise; writes weights and a sidecar ready to register."""
    asked = {
        "epochs": epochs, "batch_size": batch, "learning_rate": learning_rate, "momentum": momentum,
        "weight_decay": weight_decay, "schedule": schedule, "augment": augment, "seed": seed,
    }  # fmt: skip
    if out.suffix != ".safetensors":
        raise InvalidParameter(f"--out must end in .safetensors, not {out.suffix or 'in nothing'}.")
    if out.exists():
        raise Conflict(f"{out} exists; choose another --out.")
    images = ChosenImages(dataset, limit=limit).open()
    run = _Run(architecture, sigma, images, out, _Conventions(preset, mean, std), name or out.stem)
    written = run.go(_settings(asked), resume=resume)
    print(f"wrote {out} and {out.with_suffix('.json').name}; register it with\n")
    print(f"    certd models register {written.name} {out} --registry models.yaml")


def _settings(asked: dict[str, Any]) -> TrainingSettings:
    from certd.training import TrainingSettings

    try:
        return TrainingSettings.model_validate(asked)
    except ValidationError as error:
        raise invalid_parameter(error) from None


@dataclass(frozen=True, slots=True)
class _Conventions:
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
class _Run:
    """One training run, with its state in a file beside the weights until they are written."""

    architecture: str
    sigma: float
    images: Dataset | LazyDataset
    out: Path
    conventions: _Conventions
    name: str

    def go(self, settings: TrainingSettings, *, resume: bool) -> ModelSpecification:
        """Train to the end and write the model."""
        import torch

        from certd.datasets import selection_digest
        from certd.training import GaussianAugmentation, TrainingState, train
        from certd.training.network import fresh_classifier, write_model

        torch.set_num_threads(load_settings().threads)
        specification = self._specification()
        classifier = fresh_classifier(
            self.architecture, specification.input_shape, specification.num_classes,
            mean=specification.mean, std=specification.std, seed=settings.seed,
        )  # fmt: skip
        saved = self.out.with_suffix(".training")
        data = f"{self.images.name} {selection_digest(self.images.image_ids)}"
        run = f"{specification.model_dump_json()} {data} {settings.model_dump_json()}"
        state = TrainingState.read(saved, run) if resume and saved.exists() else None
        if state is None and saved.exists():
            raise Conflict(f"{saved} holds an unfinished run. Add --resume to go on with it, or delete it.")

        def on_epoch(epoch: Epoch, state: TrainingState) -> None:
            state.write(saved)
            _show(epoch, settings.epochs)

        train(
            classifier, self.images, GaussianAugmentation(self.sigma), settings,
            run=run, state=state, on_epoch=on_epoch,
        )  # fmt: skip
        written = write_model(classifier, specification, self.out)
        saved.unlink(missing_ok=True)
        return written

    def _specification(self) -> ModelSpecification:
        from certd.models.specification import ModelSpecification

        if self.images.labels is None:
            raise InvalidParameter(f"{self.images.name} has no labels; training needs them.")
        mean, std = self.conventions.moments(self.images.input_shape[0])
        members = {
            "name": self.name,
            "architecture": self.architecture,
            "uri": self.out.name,
            "sha256": "0" * 64,
            "input_shape": self.images.input_shape,
            "num_classes": max(len(self.images.class_names), int(self.images.labels.max()) + 1, 2),
            "mean": mean,
            "std": std,
            "training_sigma": self.sigma,
            "description": f"{self.architecture} trained on {self.images.name} under Gaussian noise.",
        }
        try:
            return ModelSpecification.model_validate(members)
        except ValidationError as error:
            raise invalid_parameter(error) from None


def _show(epoch: Epoch, epochs: int) -> None:
    sys.stderr.write(
        f"epoch {epoch.number:>3} of {epochs}  loss {epoch.loss:.4f}  accuracy under noise "
        f"{epoch.noisy_accuracy:.4f}  learning rate {epoch.learning_rate:.2g}\n"
    )
