"""``certd certify``: certify a data set in this process, with no server."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from certd.cli.display import progress_bar, show_certificates, show_report
from certd.smoothing.request import parse_request

if TYPE_CHECKING:
    from certd.smoothing.run import Run


def certify(
    model: Annotated[str, typer.Argument(help="Registered model, such as digits-cnn.")],
    dataset: Annotated[str, typer.Argument(help="Registered data set, such as digits.")],
    sigma: Annotated[float, typer.Option(help="Noise level, pixels in [0, 1].")],
    noise: Annotated[str, typer.Option(help="Noise family.")] = "gaussian",
    plan: Annotated[str, typer.Option(help="How draws are spent.")] = "fixed",
    n0: Annotated[int | None, typer.Option(help="Selection draws an image.")] = None,
    n: Annotated[int | None, typer.Option(help="Estimation draws an image.")] = None,
    alpha: Annotated[float | None, typer.Option(help="Failure probability of a certificate.")] = None,
    seed: Annotated[int | None, typer.Option(help="Key of the noise; drawn afresh when absent.")] = None,
    batch: Annotated[int | None, typer.Option(help="Rows of one forward pass.")] = None,
    skip: Annotated[int, typer.Option(help="Take every skip-th image.")] = 1,
    start: Annotated[int, typer.Option(help="First image.")] = 0,
    stop: Annotated[int | None, typer.Option(help="Image after the last.")] = None,
    limit: Annotated[int | None, typer.Option(help="Most images.")] = None,
    device: Annotated[str, typer.Option(help="Torch device.")] = "cpu",
    out: Annotated[Path | None, typer.Option(help="Write the run here, as Parquet.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print certificates and report as JSON.")] = False,
) -> None:
    """Certify images of DATASET under MODEL with added noise, and print what is proved."""
    options = {
        "model": model, "sigma": sigma, "noise": noise, "plan": plan, "n0": n0, "n": n, "alpha": alpha,
        "seed": seed, "batch_size": batch,
    }  # fmt: skip
    selection = {"skip": skip, "start": start, "stop": stop, "limit": limit}
    run = _run(options, dataset, selection, device)
    if out is not None:
        _write(run, out)
    _print(run, as_json=as_json)


def _run(options: dict[str, Any], dataset: str, selection: dict[str, Any], device: str) -> Run:
    request = parse_request(options)
    # torch takes a second to import; a refused option should not wait for it.
    from certd.datasets import load_dataset
    from certd.models import load_model
    from certd.smoothing.certifier import Certifier
    from certd.smoothing.run import Run

    classifier = load_model(request.model, device)
    images = load_dataset(dataset).select(**selection)
    certification = request.resolve(classifier.reference)
    certifier = Certifier(classifier, certification, device)
    manifest = certifier.manifest(images.name, len(images))
    sys.stderr.write(
        f"{len(images)} images, sigma {request.sigma:g}, seed {certification.seed}, "
        f"at most {certification.plan.max_draws:,} draws an image, largest radius {manifest.max_radius:.4f}\n"
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
