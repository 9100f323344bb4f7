"""``certd certify``: certify a data set, in this process or through a service."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from certd.cli import options
from certd.cli.display import show_certificates, show_report
from certd.cli.images import ChosenImages
from certd.cli.models import FileConventions
from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from certd.smoothing.run import Run

PARTIAL = 3


def certify(
    model: options.Model,
    dataset: options.DatasetName,
    sigma: options.Sigma,
    noise: options.Noise = "gaussian",
    arithmetic: options.NoiseArithmetic = "quantized",
    norm: options.Norm = None,
    plan: options.Plan = None,
    n0: options.SelectionDraws = None,
    n: options.EstimationDraws = None,
    alpha: options.Alpha = None,
    radii: options.Radii = None,
    pilot: options.Pilot = None,
    tolerance: options.Tolerance = None,
    radius: options.TargetRadius = None,
    bound: options.BoundKind = None,
    no_split: options.NoSplit = False,
    votes: options.VotesKind = None,
    mean_bound: options.MeanBound = None,
    top_k: options.TopK = None,
    mixture_bounds: options.MixtureBounds = None,
    seed: options.Seed = None,
    batch: options.Batch = None,
    dtype: options.DtypeName = "float32",
    check_draws: options.CheckDraws = None,
    compiled: options.Compiled = "false",
    confidence: options.Confidence = False,
    skip: options.Skip = 1,
    start: options.Start = 0,
    stop: options.Stop = None,
    limit: options.Limit = None,
    indices: options.Indices = None,
    sample: options.Sample = None,
    sample_seed: options.SampleSeed = 0,
    label_map: options.LabelMap = None,
    device: options.Device = "cpu",
    preset: options.PresetName = None,
    architecture: options.Architecture = None,
    mean: options.Mean = None,
    std: options.Std = None,
    input_shape: options.InputShape = None,
    classes: options.Classes = None,
    out: Annotated[Path | None, typer.Option(help="Write the run here, as Parquet.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    server: options.Server = None,
    as_json: options.AsJson = False,
) -> None:
    """Certify images of DATASET under MODEL with added noise, and print what is proved."""
    asked = {
        "model": model, "sigma": sigma, "noise": noise, "arithmetic": arithmetic, "norm": norm, "plan": plan,
        "n0": n0, "n": n, "alpha": alpha, "radii": options.parse_numbers("--radii", radii), "pilot": pilot,
        "tolerance": tolerance, "radius": radius, "bound": bound, "split": False if no_split else None,
        "votes": votes, "mean_bound": mean_bound, "top_k": top_k, "mixture_bounds": mixture_bounds,
        "seed": seed, "batch_size": batch, "dtype": dtype, "check_draws": check_draws, "compiled": compiled,
        "confidence": confidence,
    }  # fmt: skip
    images = ChosenImages(dataset, skip, start, stop, limit, indices, sample, sample_seed, label_map)
    conventions = FileConventions(preset, architecture, mean, std, input_shape, classes)
    if server is not None:
        _refuse_local_options(conventions, resume=resume, device=device)
        from certd.cli.remote_job import RemoteJob

        run = RemoteJob(server, asked, images, out).run()
    else:
        from certd.cli.local_job import LocalJob

        job = LocalJob(asked, images, device, conventions, out, resume)
        run = job.run()
    show(run, as_json=as_json)
    if not run.complete:
        raise typer.Exit(PARTIAL)


def show(run: Run, *, as_json: bool) -> None:
    """Print the rows of a run and its report."""
    from certd.reports.summary import summarize

    rows = [certificate.row() for certificate in run.certificates]
    summary = summarize(run)
    if as_json:
        print(json.dumps({"certificates": rows, "report": summary}))
        return
    show_certificates(rows)
    show_report(summary)
    for warning in summary["warnings"]:
        sys.stderr.write(f"warning: {warning}\n")


def _refuse_local_options(conventions: FileConventions, *, resume: bool, device: str) -> None:
    """Refuse what a service decides for itself."""
    if conventions != FileConventions() or device != "cpu" or resume:
        raise InvalidParameter(
            "--server certifies a model that is registered there, on its own devices, and resumes by itself: "
            "leave --preset, --architecture, --mean, --std, --input-shape, --classes, --device and "
            "--resume out."
        )
