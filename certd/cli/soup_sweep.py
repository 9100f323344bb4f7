"""``certd soup``: sweep a grid of soups, report what it says, certify the chosen one elsewhere."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from certd.cli import options, soup_work
from certd.cli.display import progress_bar
from certd.cli.interruption import interruptible
from certd.cli.remote_sweep import certify_remotely, fetch_sweep, sweep_remotely
from certd.cli.soup import images_between
from certd.errors import Conflict
from certd.settings import load_settings

app = typer.Typer(help="Sweep soups of models, and certify the chosen one.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="Folder of the sweep.")]
Threats = Annotated[
    list[str] | None, typer.Option("--threat", help="Such as l2:0.5@0.25 or linf:0.01@0.25; repeatable.")
]


@app.command()
def sweep(
    folder: Folder,
    dataset: options.DatasetName,
    ingredients: Annotated[list[str], typer.Argument(help="Registered models of one architecture.")],
    sigmas: Annotated[str, typer.Option("--sigma", help="Noise levels, such as 0.25 or 0.25,0.5.")],
    images: Annotated[str, typer.Option(help="Images to sweep on, START:STOP by position.")],
    skip: Annotated[int, typer.Option(help="Of these, take every skip-th.")] = 1,
    units: Annotated[int, typer.Option(help="Steps of one whole.")] = 5,
    low: Annotated[int, typer.Option(help="Least weight in steps; negative ones extrapolate.")] = 0,
    high: Annotated[int | None, typer.Option(help="Greatest weight in steps; by default one whole.")] = None,
    n: Annotated[int, typer.Option("--n", help="Estimation draws an image.")] = 1000,
    n0: options.SelectionDraws = None,
    alpha: options.Alpha = None,
    seed: Annotated[int, typer.Option(help="Of the noise, common to all soups.")] = 0,
    calibrate: Annotated[
        str | None, typer.Option(help="Estimate batch-norm statistics on images of this data set.")
    ] = None,
    calibrate_images: Annotated[str, typer.Option(help="Which of them, START:STOP.")] = "0:1000",
    calibrate_sigma: Annotated[
        float | None, typer.Option(help="Noise added to them; by default the only --sigma.")
    ] = None,
    calibrate_batch: Annotated[int, typer.Option(help="Calibration images of one pass.")] = 250,
    ensemble: Annotated[bool, typer.Option(help="Certify the ensemble of the ingredients too.")] = True,
    dtype: options.DtypeName = "float32",
    compiled: Annotated[bool, typer.Option("--compiled", help="Compile each soup first.")] = False,
    batch: Annotated[int | None, typer.Option("--batch", help="Rows of one forward pass.")] = None,
    server: options.Server = None,
) -> None:
    """Certify every soup of a grid on the same images with the same noise; a stopped sweep goes on.

    With --server it is one job there, and the folder holds its runs at the end.
    """
    import torch

    from certd.models import find_model
    from certd.models.soup_grid import weight_grid
    from certd.smoothing.soup_question import SoupSweep
    from certd.smoothing.soup_sweep import SweepFolder, run_sweep

    levels = options.parse_numbers("--sigma", sigmas) or ()
    if server is not None:
        request = {
            "ingredients": ingredients, "units": units, "low": low, "high": high, "dataset": dataset,
            "skip": skip, **soup_work.window_of(images), "sigmas": levels, "n": n, "n0": n0, "alpha": alpha,
            "seed": seed, "dtype": dtype, "compiled": compiled, "batch_size": batch, "ensemble": ensemble,
            "calibrate": soup_work.calibration_request(
                calibrate, calibrate_images, calibrate_sigma, calibrate_batch
            ),
        }  # fmt: skip
        given = {name: value for name, value in request.items() if value is not None}
        sweep_remotely(server, given, SweepFolder(folder))
        soup_work.print_report(soup_work.read_report(SweepFolder(folder), None))
        return
    torch.set_num_threads(load_settings().threads)
    chosen = images_between(dataset, images).select(skip=skip)
    calibration = soup_work.calibration_images(
        calibrate, calibrate_images, calibrate_sigma, levels, seed, calibrate_batch
    )
    references = [find_model(each, registry=load_settings().models).reference for each in ingredients]
    asked = {
        "plan": "fixed", "n": n, "n0": n0, "alpha": alpha, "dtype": dtype, "compiled": compiled,
        "batch_size": batch,
    }  # fmt: skip
    question = SoupSweep(
        ingredients=tuple(references),
        units=units,
        grid=tuple(weight_grid(len(ingredients), units, low, units if high is None else high)),
        dataset=dataset,
        image_ids=tuple(int(each) for each in chosen.image_ids),
        sigmas=tuple(levels),
        seed=seed,
        options={name: value for name, value in asked.items() if value is not None},
        calibration=None if calibration is None else calibration.told(),
        ensemble=ensemble,
    )
    family = soup_work.family_of(question.ingredients, calibration)
    total = len(question.members) * len(levels) * len(chosen)
    sys.stderr.write(f"{len(question.grid)} soups, {len(chosen)} images, sigma {sigmas}, seed {seed}\n")
    with interruptible() as check, progress_bar(total, "sweeping") as advance:

        def on_images(count: int) -> None:
            advance(count)
            check()

        run_sweep(question, SweepFolder(folder), family, chosen, on_images)
    soup_work.print_report(soup_work.read_report(SweepFolder(folder), None))


@app.command()
def fetch(
    folder: Folder,
    job: Annotated[str, typer.Argument(help="Id of the sweep at the service.")],
    server: Annotated[str, typer.Option("--server", help="URL of the service.")],
) -> None:
    """Fetch the runs of a sweep that a service has finished, to report on and certify from."""
    fetch_sweep(server, job, soup_work.open_folder(folder))
    soup_work.print_report(soup_work.read_report(soup_work.open_folder(folder), None))


@app.command()
def final(
    job: Annotated[str, typer.Argument(help="Id of the sweep at the service.")],
    server: Annotated[str, typer.Option("--server", help="URL of the service.")],
    out: Annotated[Path, typer.Option(help="Write the run here, as Parquet.")],
    sigma: options.Sigma,
    images: Annotated[str, typer.Option(help="Images of the sweep's data set, START:STOP by position.")],
    skip: Annotated[int, typer.Option(help="Of these, take every skip-th.")] = 1,
    weights: Annotated[str | None, typer.Option(help="Which soup; by default the best one.")] = None,
    threat: Threats = None,
    n: Annotated[int, typer.Option("--n", help="Estimation draws an image.")] = 10_000,
    alpha: options.Alpha = None,
    seed: options.Seed = None,
    force: Annotated[
        bool, typer.Option("--force", help="Certify images that chose the soup, and mark the run.")
    ] = False,
) -> None:
    """Certify the soup that a sweep of a service chose, there, on other images and with fresh noise."""
    from certd.cli.certify import show

    asked = {
        "sigma": sigma, **soup_work.window_of(images), "skip": skip, "threats": threat or None, "n": n,
        "alpha": alpha, "seed": seed, "force": force,
    }  # fmt: skip
    given = {name: value for name, value in asked.items() if value is not None}
    show(certify_remotely(server, job, weights, given, out), as_json=False)


@app.command()
def report(
    folder: Folder,
    threat: Threats = None,
    html: Annotated[Path | None, typer.Option(help="Write the page here; it needs no network.")] = None,
    top: Annotated[int, typer.Option(min=1, help="How many soups are called the best.")] = 10,
    as_json: options.AsJson = False,
) -> None:
    """Rank the soups of a finished sweep, and say how many images it takes to choose one."""
    from certd.reports.soup_page import soup_page

    found = soup_work.read_report(soup_work.open_folder(folder), threat)
    if html is not None:
        html.write_text(soup_page(found, top))
        sys.stderr.write(f"wrote {html}\n")
    if as_json:
        print(json.dumps(found.as_json(top), indent=2))
    else:
        soup_work.print_report(found)


@app.command()
def certify(
    folder: Folder,
    name: Annotated[str, typer.Argument(help="Name to register the chosen soup under.")],
    out: Annotated[Path, typer.Option(help="Write the run here, as Parquet.")],
    sigma: options.Sigma,
    images: Annotated[str, typer.Option(help="Images of the sweep's data set, START:STOP by position.")],
    skip: Annotated[int, typer.Option(help="Of these, take every skip-th.")] = 1,
    weights: Annotated[str | None, typer.Option(help="Which soup; by default the best one.")] = None,
    threat: Threats = None,
    n: Annotated[int, typer.Option("--n", help="Estimation draws an image.")] = 10_000,
    alpha: options.Alpha = None,
    seed: options.Seed = None,
    force: Annotated[
        bool, typer.Option("--force", help="Certify images that chose the soup, and mark the run.")
    ] = False,
    dtype: options.DtypeName = "float32",
    compiled: Annotated[bool, typer.Option("--compiled", help="Compile it first.")] = False,
    batch: Annotated[int | None, typer.Option("--batch", help="Rows of one forward pass.")] = None,
) -> None:
    """Register the chosen soup, and certify it on other images with fresh noise."""
    from certd.cli.certify import show
    from certd.smoothing.run import write_run
    from certd.smoothing.soup_final import certify_chosen

    opened = soup_work.open_folder(folder)
    steps = soup_work.chosen_weights(opened, weights, threat)
    if out.exists():
        raise Conflict(f"{out} exists; choose another --out.")
    asked = {
        "plan": "fixed", "n": n, "alpha": alpha, "dtype": dtype, "compiled": compiled, "batch_size": batch,
        "sigma": sigma, "seed": seed,
    }  # fmt: skip
    chosen = images_between(opened.question().dataset, images).select(skip=skip)
    run = certify_chosen(
        opened, soup_work.register_chosen(opened, name, steps), chosen, force=force,
        **{key: value for key, value in asked.items() if value is not None},
    )  # fmt: skip
    with out.open("wb") as stream:
        write_run(stream, run)
    show(run, as_json=False)
