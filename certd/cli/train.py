"""``certd train``: a network for smoothing, from a data set and a seed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from certd.cli import options
from certd.cli.device import chosen_device
from certd.cli.images import ChosenImages
from certd.cli.models import FileConventions, open_classifier
from certd.cli.training_run import Normalisation, TrainingRun
from certd.errors import Conflict, InvalidParameter
from certd.smoothing.options import invalid_parameter

if TYPE_CHECKING:
    from certd.training import TrainingSettings


def train(
    architecture: Annotated[
        str, typer.Argument(help="Built-in architecture, such as lenet or cifar-resnet20.")
    ],
    dataset: options.DatasetName,
    out: Annotated[Path, typer.Option("--out", "-o", help="Write the weights here, as .safetensors.")],
    sigma: Annotated[float | None, typer.Option(help="Noise level, pixels in [0, 1].")] = None,
    recipe: Annotated[
        str, typer.Option(help="gaussian, easy-images, or a published one such as easy-cifar10-0.5.")
    ] = "gaussian",
    draws: options.TrainingDraws = None,
    discard_after: options.DiscardAfter = None,
    discard_below: options.DiscardBelow = None,
    reweight_every: options.ReweightEvery = None,
    attack_steps: options.AttackSteps = None,
    attack_step_size: options.AttackStepSize = None,
    judge: Annotated[
        str | None, typer.Option(help="Trained model that discards images before the first epoch.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data; by default 20.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", help="Noisy copies a step; by default 128.")] = None,
    learning_rate: Annotated[
        float | None, typer.Option("--lr", help="Learning rate at the start; by default .05.")
    ] = None,
    momentum: Annotated[float | None, typer.Option(help="Of SGD; by default .9.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="L2 penalty; by default 5e-4.")] = None,
    schedule: Annotated[
        str | None, typer.Option(help="cosine (default), step after each third, or constant.")
    ] = None,
    augment: Annotated[str | None, typer.Option(help="none (default) or crop-flip.")] = None,
    seed: Annotated[int, typer.Option(help="Of weights, order and noise.")] = 0,
    device: Annotated[str, typer.Option(help="Torch device; auto is a GPU where there is one.")] = "auto",
    limit: options.Limit = None,
    preset: options.PresetName = None,
    mean: options.Mean = None,
    std: options.Std = None,
    name: Annotated[str | None, typer.Option(help="Name of the model; by default that of the file.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after the last finished epoch.")] = False,
) -> None:
    """Train ARCHITECTURE on DATASET under Gaussian noise; writes weights and a sidecar ready to register."""
    from certd.training import choose_recipe

    if out.suffix != ".safetensors":
        raise InvalidParameter(f"--out must end in .safetensors, not {out.suffix or 'in nothing'}.")
    if out.exists():
        raise Conflict(f"{out} exists; choose another --out.")
    training = choose_recipe(
        recipe, sigma, draws=draws, discard_after=discard_after, discard_below=discard_below,
        reweight_every=reweight_every, attack_steps=attack_steps, attack_step_size=attack_step_size,
    )  # fmt: skip
    settings = changed_settings(
        training.settings, epochs=epochs, batch_size=batch, learning_rate=learning_rate, momentum=momentum,
        weight_decay=weight_decay, schedule=schedule, augment=augment, seed=seed,
    )  # fmt: skip
    device = chosen_device(device)
    run = TrainingRun(
        architecture, ChosenImages(dataset, limit=limit).open(), replace(training, settings=settings), out,
        name or out.stem, Normalisation(preset, mean, std), device,
        None if judge is None else open_classifier(judge, device, FileConventions(preset)),
    )  # fmt: skip
    written = run.go(resume=resume)
    print(f"wrote {out} and {out.with_suffix('.json').name}; register it with\n")
    print(f"    certd models register {written.name} {out} --registry models.yaml")


def changed_settings(settings: TrainingSettings, **given: Any) -> TrainingSettings:
    """Return settings with those members replaced that are not None.

    Raises:
        InvalidParameter: If one lies outside its domain.
    """
    from certd.training import TrainingSettings

    members = {key: value for key, value in given.items() if value is not None}
    try:
        return TrainingSettings.model_validate({**settings.model_dump(), **members})
    except ValidationError as error:
        raise invalid_parameter(error) from None
