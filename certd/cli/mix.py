"""``certd mix`` and ``certd weights``: mixtures of a smoothed classifier with a standard one, from votes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from certd.cli import options
from certd.cli.certify import show
from certd.cli.images import pixels_by_id
from certd.cli.models import FileConventions, open_classifier
from certd.cli.runs import open_run
from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from certd.reports.weight_sweep import WeightSweep
    from certd.smoothing.run import Run


def mix(
    file: options.RunFile,
    mixture: Annotated[str, typer.Option(help="A registered smooth-then-mix mixture of the run's model.")],
    out: Annotated[Path, typer.Option(help="Write the mixture's run here, as Parquet.")],
    bounds: options.MixtureBounds = None,
    dataset: Annotated[
        str | None, typer.Option(help="Where the images are, if the run does not say.")
    ] = None,
    device: options.Device = "cpu",
    as_json: options.AsJson = False,
) -> None:
    """Mix the smoothed model whose votes FILE counts with a standard one, which looks once at each image."""
    from certd.smoothing.mixing_run import mix_run
    from certd.smoothing.run import write_run

    run = open_run(file)
    name = dataset or run.manifest.dataset
    if name is None:
        raise InvalidParameter("The run was made from uploaded images; name their data set with --dataset.")
    classifier = open_classifier(mixture, device, FileConventions())
    kind = options.parse_mixture_bounds(bounds)
    mixed = mix_run(run, classifier, pixels_by_id(name), kind, device)
    with out.open("wb") as stream:
        write_run(stream, mixed)
    show(mixed, as_json=as_json)


def weights(
    file: options.RunFile,
    at: Annotated[
        str | None, typer.Option("--weights", help="Weights of the smoothed model, such as .5,.75,.95.")
    ] = None,
    radii: options.Radii = None,
    html: Annotated[Path | None, typer.Option(help="Write the page here; it needs no network.")] = None,
    figures: Annotated[Path | None, typer.Option(help="Write the figures into this folder, as SVG.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Conclude FILE, the run of a smooth-then-mix mixture, at many weights, with no forward pass."""
    from certd.reports.weight_page import weight_page
    from certd.reports.weight_sweep import DEFAULT_WEIGHTS, sweep_weights

    chosen = options.parse_numbers("--weights", at) or DEFAULT_WEIGHTS
    sweep = sweep_weights(_labelled(open_run(file)), chosen, options.parse_radii("--radii", radii))
    if html is not None:
        html.write_text(weight_page(sweep))
        sys.stderr.write(f"wrote {html}\n")
    if figures is not None:
        _draw(sweep, figures)
    print(json.dumps(sweep.as_json(), indent=2) if as_json else _printed(sweep), end="")


def _labelled(run: Run) -> Run:
    if not run.certificates:
        raise InvalidParameter("No image of this run is finished yet.")
    return run


def _draw(sweep: WeightSweep, folder: Path) -> None:
    from certd.reports.figures.forms import render_figure
    from certd.reports.figures.weights import weight_figures

    folder.mkdir(parents=True, exist_ok=True)
    for figure in weight_figures(sweep):
        path = folder / f"{figure.name}.svg"
        path.write_bytes(render_figure(figure, "svg"))
        sys.stderr.write(f"wrote {path}\n")


def _printed(sweep: WeightSweep) -> str:
    """Return the sweep as text: tables in Markdown, which no width of a terminal cuts short."""
    from certd.reports.figures.weights import by_weight
    from certd.reports.printed import percent
    from certd.reports.tables import to_markdown
    from certd.reports.weight_page import rule_table
    from certd.reports.weight_sweep import CHOOSE_ELSEWHERE

    clean = percent(sweep.clean_accuracy)
    return (
        f"{to_markdown(by_weight(sweep))}\nstandard model alone, clean images: {clean}, nothing proved\n\n"
        f"the least weight that keeps a share certified at a radius:\n\n{to_markdown(rule_table(sweep))}\n"
        f"{CHOOSE_ELSEWHERE}\n"
    )
