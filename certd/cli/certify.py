"""``certd certify``: certify a data set in this process, with no server."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from certd.cli import options
from certd.cli.display import progress_bar, show_certificates, show_report
from certd.cli.interruption import interruptible
from certd.cli.models import FileConventions, open_classifier
from certd.settings import load_settings
from certd.smoothing.request import parse_request
from certd.statistics import floor_to

if TYPE_CHECKING:
    from certd.smoothing.run import Run


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
    seed: options.Seed = None,
    batch: options.Batch = None,
    dtype: options.DtypeName = "float32",
    check_draws: options.CheckDraws = None,
    compiled: options.Compiled = "false",
    skip: Annotated[int, typer.Option(help="Take every skip-th image.")] = 1,
    start: Annotated[int, typer.Option(help="First image.")] = 0,
    stop: Annotated[int | None, typer.Option(help="Image after the last.")] = None,
    limit: Annotated[int | None, typer.Option(help="Most images.")] = None,
    device: options.Device = "cpu",
    preset: options.PresetName = None,
    architecture: options.Architecture = None,
    mean: options.Mean = None,
    std: options.Std = None,
    out: Annotated[Path | None, typer.Option(help="Write the run here, as Parquet.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Certify images of DATASET under MODEL with added noise, and print what is proved."""
    asked = {
        "model": model, "sigma": sigma, "noise": noise, "arithmetic": arithmetic, "norm": norm, "plan": plan,
        "n0": n0, "n": n, "alpha": alpha, "radii": options.parse_numbers("--radii", radii), "pilot": pilot,
        "tolerance": tolerance, "radius": radius, "bound": bound, "split": False if no_split else None,
        "votes": votes, "mean_bound": mean_bound, "top_k": top_k, "seed": seed, "batch_size": batch,
        "dtype": dtype,
        "check_draws": check_draws,
        "compiled": compiled,
    }  # fmt: skip
    selection = {"skip": skip, "start": start, "stop": stop, "limit": limit}
    try:
        conventions = FileConventions(preset, architecture, mean, std)
        run = _certify(_LocalJob(asked, dataset, selection, device, conventions, out, resume))
    except KeyboardInterrupt:
        if out is not None:
            sys.stderr.write(f"\ninterrupted; finished images are in {out}. Add --resume to go on.\n")
        raise
    _print(run, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _LocalJob:
    """What the command was asked to do."""

    asked: dict[str, Any]
    dataset: str
    selection: dict[str, Any]
    device: str
    conventions: FileConventions
    out: Path | None
    resume: bool


def _certify(job: _LocalJob) -> Run:
    request = parse_request(job.asked)
    # torch takes a second to import; a refused option should not wait for it.
    from certd.cli.resumable import ResumableRun, stored_execution, stored_seed
    from certd.datasets import open_dataset
    from certd.smoothing.certifier import Certifier
    from certd.smoothing.settling import settle, settled_as

    classifier = open_classifier(request.model, job.device, job.conventions)
    images = open_dataset(job.dataset, registry=load_settings().datasets).select(**job.selection)
    if request.seed is None and job.resume:
        request = request.model_copy(update={"seed": stored_seed(job.out)})
    certification = request.resolve(classifier.reference, labelled=images.labels is not None)
    begun = stored_execution(job.out) if job.resume else None
    if begun is None:
        certification = settle(classifier, certification, len(images), job.device)
    else:
        certification = settled_as(certification, begun)
    certifier = Certifier(classifier, certification, job.device)
    run = ResumableRun(certifier.manifest(images.name, len(images)), job.out)
    run.start(resume=job.resume)
    _announce(run.run)
    total = len(images) * certification.procedure.max_draws
    with interruptible() as check, progress_bar(total, "certifying") as advance:

        def on_draws(count: int) -> None:
            advance(count)
            check()

        return run.go_on(certifier, images, on_draws)


def _announce(run: Run) -> None:
    manifest, plan = run.manifest, run.manifest.certification.plan
    done = f" ({len(run.certificates)} done before)" if run.certificates else ""
    sys.stderr.write(
        f"{manifest.num_images} images{done}, sigma {manifest.certification.noise.sigma:g}, "
        f"plan {plan.kind}, seed {manifest.certification.seed}, at most {plan.max_draws:,} draws an image, "
        f"largest {manifest.norm} radius {floor_to(manifest.max_radius, 4)}\n"
    )


def _print(run: Run, *, as_json: bool) -> None:
    from certd.reports.summary import summarize

    rows = [certificate.row() for certificate in run.certificates]
    summary = summarize(run)
    if as_json:
        print(json.dumps({"certificates": rows, "report": summary}))
        return
    show_certificates(rows)
    show_report(summary)
