"""``certd cohen-certify``: the reference script's arguments and file, for those who have their habits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from certd.cli import options
from certd.cli.images import ChosenImages
from certd.cli.local_job import LocalJob
from certd.cli.models import FileConventions
from certd.errors import Conflict


def cohen_certify(
    dataset: Annotated[
        str, typer.Argument(help="Registered data set, or a URI; {split} stands for --split.")
    ],
    base_classifier: Annotated[str, typer.Argument(help="Checkpoint, registered model, or URI.")],
    sigma: Annotated[float, typer.Argument(help="Noise level, pixels in [0, 1].")],
    outfile: Annotated[Path, typer.Argument(help="Write idx, label, predict, radius, correct, time here.")],
    batch: Annotated[int, typer.Option("--batch", help="Rows of one forward pass.")] = 1000,
    skip: Annotated[int, typer.Option("--skip", help="Take every skip-th image.")] = 1,
    most: Annotated[int, typer.Option("--max", help="Stop at this index; -1 never stops.")] = -1,
    split: Annotated[str, typer.Option("--split", help="Stands for {split} in DATASET.")] = "test",
    n0: Annotated[int, typer.Option("--N0", help="Selection draws an image.")] = 100,
    n: Annotated[int, typer.Option("--N", help="Estimation draws an image.")] = 100_000,
    alpha: Annotated[float, typer.Option("--alpha", help="Failure probability.")] = 0.001,
    seed: options.Seed = None,
    device: options.Device = "cpu",
    preset: options.PresetName = None,
    architecture: options.Architecture = None,
    mean: options.Mean = None,
    std: options.Std = None,
    run: Annotated[Path | None, typer.Option("--run", help="Keep the run with every count here.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --run.")] = False,
) -> None:
    """Certify as the reference script does, with its fixed plan; radii are rounded down.

    ``--max`` is an index and no count, as it is there. The noise differs from the script's, and is sound.
    """
    from certd.reports import results_of
    from certd.reports.exporters import export_cohen

    if outfile.exists() and not resume:
        raise Conflict(f"{outfile} exists; choose another file.")
    images = ChosenImages(dataset.replace("{split}", split), skip=skip, stop=None if most == -1 else most)
    asked = {
        "model": base_classifier, "sigma": sigma, "plan": "fixed", "n0": n0, "n": n, "alpha": alpha,
        "batch_size": batch, "seed": seed,
    }  # fmt: skip
    conventions = FileConventions(preset, architecture, mean, std)
    made = LocalJob(asked, images, device, conventions, run, resume).run()
    outfile.write_text(export_cohen(results_of(made)))
