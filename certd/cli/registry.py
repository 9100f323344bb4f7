"""``certd models``: what an operator has registered."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from certd.cli import options
from certd.cli.models import FileConventions, open_classifier
from certd.errors import InvalidParameter
from certd.settings import load_settings

if TYPE_CHECKING:
    from certd.models import Transform
    from certd.models.runtime.arithmetic import Execution, ExecutionArithmetic

Registry = Annotated[
    Path | None, typer.Option("--registry", help="The models.yaml to use; by default CERTD_MODELS.")
]
Name = Annotated[str, typer.Argument(help="Name of the model.")]

app = typer.Typer(help="Register, list, inspect and remove models.", no_args_is_help=True)


@app.command("list")
def list_models(registry: Registry = None, as_json: options.AsJson = False) -> None:
    """List the built-in models and those of the registry."""
    from certd.models import find_model, model_names

    path = registry or load_settings().models
    found = [find_model(name, registry=path) for name in model_names(registry=path)]
    if as_json:
        print(
            json.dumps([{**model.model_dump(mode="json"), "reference": model.reference} for model in found])
        )
        return
    table = Table("name", "architecture", "input", "classes", "training sigma", "description", box=None)
    for model in found:
        shape = "x".join(str(size) for size in model.input_shape)
        sigma = "" if model.training_sigma is None else f"{model.training_sigma:g}"
        table.add_row(model.name, model.architecture, shape, str(model.num_classes), sigma, model.description)
    Console().print(table)


@app.command()
def register(
    name: Name,
    file: Annotated[str, typer.Argument(help="File of weights, or URI such as onnx:FILE, on this machine.")],
    registry: Registry = None,
    preset: options.PresetName = None,
    architecture: options.Architecture = None,
    mean: options.Mean = None,
    std: options.Std = None,
    input_shape: options.InputShape = None,
    classes: options.Classes = None,
    training_sigma: Annotated[float | None, typer.Option(help="Noise level of its training.")] = None,
) -> None:
    """Write FILE into the registry as NAME, after it was loaded once; says what had to be assumed."""
    from dataclasses import replace

    from certd.models import draft_model, register_model
    from certd.models.loading import load_specification

    path = _required(registry)
    conventions = FileConventions(preset, architecture, mean, std, input_shape, classes)
    declaration = conventions.declaration(name)
    draft = draft_model(file, replace(declaration, training_sigma=training_sigma), path.parent)
    load_specification(draft.specification, path.parent)
    register_model(path, draft.specification)
    for note in draft.notes:
        print(note)
    print(f"registered {draft.specification.reference} in {path}")


@app.command("mix")
def register_mixture(
    name: Name,
    standard: Annotated[str, typer.Option(help="The standard model g, by its registered name.")],
    robust: Annotated[str, typer.Option(help="The robust model h, by its registered name.")],
    weight: Annotated[float, typer.Option(help="Weight of the robust model; with a network, the least.")],
    product: Annotated[
        str, typer.Option(help="smooth-then-mix or mix-then-smooth: which of the two is certified.")
    ] = "smooth-then-mix",
    standard_scale: Annotated[float, typer.Option(help="Multiplies the logits of g.")] = 1.0,
    robust_scale: Annotated[float, typer.Option(help="Multiplies the logits of h.")] = 1.0,
    transform: Annotated[
        str | None, typer.Option(help="Scale, power and shift of MixedNUTS' transform of h: 4,2,0.5.")
    ] = None,
    network: Annotated[
        str | None, typer.Option(help="File of a mixing network, relative to the registry.")
    ] = None,
    highest_weight: Annotated[float | None, typer.Option(help="The greatest weight it can choose.")] = None,
    registry: Registry = None,
) -> None:
    """Register, as NAME, a mixture of two registered models; both are pinned by their digests."""
    from certd.models import draft_mixture, load_model, register_model

    path = _required(registry)
    specification = draft_mixture(
        name, standard, robust, weight, product=product, standard_scale=standard_scale,
        robust_scale=robust_scale, robust_transform=_transform(transform),
        network=network, highest_weight=highest_weight, registry=path,
    )  # fmt: skip
    for part in (specification.mixture.standard, specification.mixture.robust):
        load_model(part, registry=path)
    register_model(path, specification)
    print(specification.mixture.sentence)
    print(f"registered {specification.reference} in {path}")


def _transform(text: str | None) -> Transform | None:
    from certd.models import Transform

    numbers = options.parse_numbers("--transform", text)
    if numbers is None:
        return None
    if len(numbers) != 3:
        raise InvalidParameter("--transform takes scale, power and shift, such as 4,2,0.5.")
    try:
        return Transform(scale=numbers[0], power=numbers[1], shift=numbers[2])
    except ValidationError as error:
        raise InvalidParameter(f"--transform: {error.errors()[0]['msg']}.") from error


@app.command("soup")
def register_soup(
    name: Name,
    ingredients: Annotated[list[str], typer.Argument(help="Registered models of one architecture.")],
    weights: Annotated[str, typer.Option(help="One a model, such as 0.6,0.4 or 3,2 with --units 5.")],
    units: Annotated[
        int | None, typer.Option(help="Steps of one whole; weights are then whole numbers of steps.")
    ] = None,
    calibrate: Annotated[
        str | None, typer.Option(help="Estimate batch-norm statistics on images of this data set.")
    ] = None,
    calibrate_images: Annotated[
        str, typer.Option(help="Which of its images, START:STOP by position.")
    ] = "0:1000",
    sigma: Annotated[float | None, typer.Option(help="Noise added to calibration images.")] = None,
    seed: Annotated[int, typer.Option(help="Of that noise.")] = 0,
    batch: Annotated[int, typer.Option(help="Calibration images of one pass.")] = 250,
    registry: Registry = None,
) -> None:
    """Register, as NAME, the weighted average of registered models; all are pinned by their digests."""
    from certd.cli.soup import cook

    path = _required(registry)
    specification = cook(
        name, ingredients, weights, units, calibrate, calibrate_images, sigma, seed, batch, path
    )
    print(specification.soup.sentence)
    print(f"registered {specification.reference} in {path}")


@app.command("ensemble")
def register_ensemble(
    name: Name,
    members: Annotated[list[str], typer.Argument(help="Registered models of the same images and classes.")],
    registry: Registry = None,
) -> None:
    """Register, as NAME, the ensemble of registered models: probabilities averaged, at the price of all."""
    from certd.models import draft_ensemble, load_model, register_model

    path = _required(registry)
    specification = draft_ensemble(name, members, registry=path)
    for part in specification.ensemble:
        load_model(part, registry=path)
    register_model(path, specification)
    print(specification.description)
    print(f"registered {specification.reference} in {path}")


@app.command()
def inspect(
    model: options.Model,
    dataset: options.DatasetName,
    sigma: options.Sigma,
    images: Annotated[int, typer.Option(help="Most images to look at.")] = 500,
    preset: options.PresetName = None,
    architecture: options.Architecture = None,
    mean: options.Mean = None,
    std: options.Std = None,
    input_shape: options.InputShape = None,
    classes: options.Classes = None,
    dtype: options.DtypeName = "float32",
    compiled: Annotated[bool, typer.Option("--compiled", help="Compile, as a certification would.")] = False,
    batch: Annotated[int, typer.Option("--batch", help="Rows of one forward pass.")] = 256,
    as_json: options.AsJson = False,
) -> None:
    """Measure MODEL on a sample of DATASET, clean and under noise, and warn of what looks wrong."""
    from certd.datasets import open_dataset
    from certd.models import inspect_model
    from certd.models.runtime.prepare import prepare

    arithmetic = _arithmetic(dtype, compiled=compiled)
    conventions = FileConventions(preset, architecture, mean, std, input_shape, classes)
    classifier = open_classifier(model, "cpu", conventions, sigma)
    whole = open_dataset(dataset, registry=load_settings().datasets)
    found = inspect_model(classifier, whole, sigma, num_images=images)
    execution = prepare(classifier, arithmetic, batch).execution
    if as_json:
        print(json.dumps({**asdict(found), "execution": execution.model_dump(mode="json")}))
        return
    shape = "x".join(str(size) for size in found.input_shape)
    print(f"model                {found.reference}")
    print(f"input                {shape}, {found.num_classes} classes, {found.num_parameters:,} weights")
    print(f"stored as            {found.arithmetic}")
    print(f"executed as          {_said(execution)}")
    print(f"accuracy, clean      {found.clean_accuracy:.4f} of {found.num_images} images")
    print(f"accuracy, noisy      {found.noisy_accuracy:.4f} at sigma {found.sigma:g}")
    for warning in found.warnings:
        print(f"warning              {warning}")


def _arithmetic(dtype: str, *, compiled: bool) -> ExecutionArithmetic:
    from certd.models.runtime.arithmetic import ExecutionArithmetic
    from certd.smoothing.options import invalid_parameter

    try:
        return ExecutionArithmetic.model_validate({"dtype": dtype, "compiled": compiled})
    except ValidationError as error:
        raise invalid_parameter(error) from None


def _said(execution: Execution) -> str:
    """Return in words how a classifier is executed."""
    voted = "" if execution.voted_in is None else f", voted for in {execution.voted_in}"
    normalisation = "folded" if execution.normalisation_folded else "as it is"
    norms = f"{execution.batch_norms_folded} batch-norms folded, {execution.batch_norms_left} left"
    if execution.convolutions_fused:
        norms += f"; {execution.convolutions_fused} convolutions fused with their ReLU"
        norms += f", {execution.convolutions_widened} of them widened"
    layout = "channels last" if execution.channels_last else "channels first"
    compiled = "compiled" if execution.compiled else "not compiled"
    return (
        f"{execution.dtype}{voted}; normalisation {normalisation}, {norms}; {layout}, {compiled}, "
        f"TF32 {'on' if execution.tf32 else 'off'}, "
        f"{'' if execution.deterministic else 'not '}deterministic; {execution.batch_size} rows, "
        f"{execution.threads} thread{'s' if execution.threads > 1 else ''} on {execution.processor}, "
        f"torch {execution.torch}"
    )


@app.command()
def remove(
    name: Name,
    registry: Registry = None,
    force: Annotated[bool, typer.Option("--force", help="Also where another model is made of it.")] = False,
) -> None:
    """Take NAME out of the registry; its file stays."""
    _forget(_required(registry), name, force=force)
    print(f"removed {name}")


def _required(registry: Path | None) -> Path:
    path = registry or load_settings().models
    if path is None:
        raise InvalidParameter("Say which registry: --registry models.yaml, or set CERTD_MODELS.")
    return path


def _forget(registry: Path, name: str, *, force: bool) -> None:
    from certd.models import unregister_model

    unregister_model(registry, name, force=force)
