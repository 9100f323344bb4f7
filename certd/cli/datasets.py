"""``certd datasets``: what can be certified on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from certd.cli import options
from certd.cli.images import ChosenImages
from certd.settings import load_settings

NAMES_SHOWN = 10

app = typer.Typer(help="List data sets and look at one.", no_args_is_help=True)


@app.command("list")
def list_datasets(
    registry: Annotated[
        Path | None, typer.Option("--registry", help="The datasets.yaml to use; by default CERTD_DATASETS.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """List the built-in data sets and those of the registry; any other is opened by its URI."""
    from certd.datasets import describe_datasets
    from certd.datasets.reading import SCHEMES

    found = sorted(describe_datasets(registry=registry or load_settings().datasets).items())
    if as_json:
        print(json.dumps([{"name": name, "description": text} for name, text in found]))
        return
    table = Table("name", "description", box=None)
    for name, text in found:
        table.add_row(name, text)
    Console().print(table)
    print("URIs begin with " + ", ".join(f"{scheme}:" for scheme in SCHEMES))


@app.command()
def inspect(
    dataset: options.DatasetName,
    skip: options.Skip = 1,
    start: options.Start = 0,
    stop: options.Stop = None,
    limit: options.Limit = None,
    as_json: options.AsJson = False,
) -> None:
    """Say what DATASET holds: images, shape, labels, and the digest of the selection."""
    found = _describe(ChosenImages(dataset, skip, start, stop, limit))
    if as_json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:<20} {value if value is not None else 'unknown'}")


def _describe(chosen: ChosenImages) -> dict[str, Any]:
    import numpy as np

    from certd.datasets import selection_digest

    images = chosen.open()
    labels = images.labels
    first = images.images[np.array([0])]
    return {
        "name": images.name,
        "images": len(images),
        "shape": "x".join(str(side) for side in images.input_shape),
        "labels": None
        if labels is None
        else f"{len(np.unique(labels))} classes, {labels.min()}..{labels.max()}",
        "class names": ", ".join(images.class_names[:NAMES_SHOWN]) or None,
        "pixels of image 1": f"{first.min()}..{first.max()}, mean {first.mean() / 255:.3f} of 1",
        "selection": selection_digest(images.image_ids),
    }
