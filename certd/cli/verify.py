"""``certd verify``: draw a stored run again and compare every count."""

from __future__ import annotations

from typing import Annotated

import typer

from certd.cli import options
from certd.cli.images import labels_of, pixels_of, whole_set
from certd.cli.models import FileConventions, open_classifier
from certd.cli.runs import open_run
from certd.errors import InvalidParameter

DIFFERS = 1


def verify(
    file: options.RunFile,
    dataset: options.ImagesOf = None,
    model: Annotated[str | None, typer.Option(help="The model's file, if it is not registered.")] = None,
    preset: options.PresetName = None,
    architecture: options.Architecture = None,
    mean: options.Mean = None,
    std: options.Std = None,
    sample: Annotated[int | None, typer.Option(help="Draw only so many images again.")] = None,
    seed: Annotated[int, typer.Option(help="Chooses the sample.")] = 0,
    label_map: options.LabelMap = None,
    device: options.Device = "cpu",
) -> None:
    """Draw the images of FILE again from its seed and compare them; exit 1 if a count or a label differs."""
    from certd.smoothing.certifier import Certifier
    from certd.smoothing.verification import verify as draw_again

    run = open_run(file)
    name = dataset or run.manifest.dataset
    if name is None:
        raise InvalidParameter("The run was made from uploaded images; name their data set with --dataset.")
    certification = run.manifest.drawn_under
    conventions = FileConventions(preset, architecture, mean, std)
    sigma = certification.noise.sigma
    classifier = open_classifier(model or certification.model, device, conventions, sigma)
    certifier = Certifier(classifier, certification, device)
    whole = whole_set(name, label_map)
    found = draw_again(run, certifier, pixels_of(whole), sample, seed, labels=labels_of(whole))
    if found.difference is not None:
        print(f"DIFFERS: {found.difference} ({found.num_images} drawn again)")
        raise typer.Exit(DIFFERS)
    print(f"{found.num_images} of {len(run.certificates)} images drawn again; every count agrees.")
