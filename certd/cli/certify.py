"""``certd certify``: certify a data set in this process, with no server."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from certd.cli import options
from certd.cli.display import progress_bar, show_certificates, show_report
from certd.smoothing.request import parse_request

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
    skip: Annotated[int, typer.Option(help="Take every skip-th image.")] = 1,
    start: Annotated[int, typer.Option(help="First image.")] = 0,
    stop: Annotated[int | None, typer.Option(help="Image after the last.")] = None,
    limit: Annotated[int | None, typer.Option(help="Most images.")] = None,
    device: options.Device = "cpu",
    out: Annotated[Path | None, typer.Option(help="Write the run here, as Parquet.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Certify images of DATASET under MODEL with added noise, and print what is proved."""
    asked = {
        "model": model, "sigma": sigma, "noise": noise, "arithmetic": arithmetic, "norm": norm, "plan": plan,
        "n0": n0, "n": n, "alpha": alpha, "radii": options.parse_radii(radii), "pilot": pilot,
        "tolerance": tolerance, "radius": radius, "bound": bound, "split": False if no_split else None,
        "votes": votes, "mean_bound": mean_bound, "top_k": top_k, "seed": seed, "batch_size": batch,
    }  # fmt: skip
    selection = {"skip": skip, "start": start, "stop": stop, "limit": limit}
    run = _run(asked, dataset, selection, device)
    if out is not None:
        _write(run, out)
    _print(run, as_json=as_json)


def _run(asked: dict[str, Any], dataset: str, selection: dict[str, Any], device: str) -> Run:
    request = parse_request(asked)
    from certd.datasets import load_dataset
    from certd.models import load_model
    from certd.smoothing.certifier import Certifier
    from certd.smoothing.run import Run

    classifier = load_model(request.model, device)
    images = load_dataset(dataset).select(**selection)
    certification = request.resolve(classifier.reference, labelled=images.labels is not None)
    certifier = Certifier(classifier, certification, device)
    manifest = certifier.manifest(images.name, len(images))
    sys.stderr.write(
        f"{len(images)} images, sigma {request.sigma:g}, plan {certification.plan.kind}, "
        f"seed {certification.seed}, at most {certification.plan.max_draws:,} draws an image, "
        f"largest {manifest.norm} radius {manifest.max_radius:.4f}\n"
    )
    with progress_bar(len(images) * certification.plan.max_draws, "certifying") as advance:
        certificates = certifier.certify(images.images, images.image_ids, images.labels, advance)
    return Run(manifest, tuple(certificates))


def _write(run: Run, out: Path) -> None:
    from certd.smoothing.run import write_run

    with out.open("wb") as stream:
        write_run(stream, run)
    sys.stderr.write(f"run written to {out}\n")


def _print(run: Run, *, as_json: bool) -> None:
    from certd.reports.summary import summarize

    rows = [certificate.row() for certificate in run.certificates]
    summary = summarize(run)
    if as_json:
        print(json.dumps({"certificates": rows, "report": summary}))
        return
    show_certificates(rows)
    show_report(summary)
