"""``certd attack``: an upper bound on the radius of each certified image, beside the proved one."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from certd.cli import options
from certd.cli.display import progress_bar
from certd.cli.images import pixels_by_id
from certd.cli.interruption import interruptible
from certd.cli.models import FileConventions, open_classifier
from certd.cli.runs import open_run
from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certd.attacks.bracket import Bracket, BracketFile, Search
    from certd.attacks.smoothed import SmoothedAttack
    from certd.reports.brackets import BracketReport
    from certd.smoothing.certificate import Certificate
    from certd.smoothing.run import Run

FARTHEST = 8.0
"""In units of sigma: how far the search goes where nothing is said; twice what any usual budget certifies."""


def attack(
    file: options.RunFile,
    out: Annotated[Path, typer.Option("--out", "-o", help="Keep the brackets here, one line an image.")],
    eps: Annotated[
        float | None, typer.Option(help="Longest perturbation in the run's norm; by default 8 sigma.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Steps of PGD a round.")] = 20,
    restarts: Annotated[int, typer.Option(help="Random starts of PGD a round.")] = 1,
    copies: Annotated[int, typer.Option(help="Noisy copies whose mean softmax a step follows.")] = 32,
    rounds: Annotated[int, typer.Option(help="Rounds, each nearer than what the last one found.")] = 4,
    n: Annotated[int, typer.Option("--n", help="Draws that test what was found.")] = 10_000,
    alpha: Annotated[float, typer.Option(help="Probability that a bound from above is false.")] = 0.001,
    seed: Annotated[int, typer.Option(help="Of search and tests; other than the run's.")] = 0,
    limit: Annotated[int | None, typer.Option(help="Attack the first so many certified images.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with --out.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write the page here; it needs no network.")] = None,
    dataset: options.ImagesOf = None,
    model: Annotated[str | None, typer.Option(help="The model's file, if it is not registered.")] = None,
    preset: options.PresetName = None,
    architecture: options.Architecture = None,
    mean: options.Mean = None,
    std: options.Std = None,
    device: options.Device = "cpu",
    as_json: options.AsJson = False,
) -> None:
    """Look near the certified images of FILE for other answers, and test what is found with new draws."""
    from certd.attacks.bracket import BracketFile, Search
    from certd.attacks.smoothed import SmoothedAttack

    run = open_run(file)
    noise = run.manifest.certification.noise
    reach = FARTHEST * noise.sigma if eps is None else eps
    search = Search(
        eps=reach, steps=steps, restarts=restarts, copies=copies, rounds=rounds, n=n, alpha=alpha, seed=seed
    )
    conventions = FileConventions(preset, architecture, mean, std)
    named = model or run.manifest.certification.model
    classifier = open_classifier(named, device, conventions, noise.sigma)
    attacker = SmoothedAttack(classifier, run.manifest.certification, search, device)
    chosen = _chosen(run, limit)
    kept = BracketFile(out, _header(run, search))
    brackets = _go_on(attacker, chosen, kept, dataset or run.manifest.dataset, resume=resume)
    report = _report(run, search, brackets)
    if html is not None:
        from certd.reports.bracket_page import bracket_page

        html.write_text(bracket_page(report))
        sys.stderr.write(f"wrote {html}\n")
    for warning in report.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    print(json.dumps(report.as_json(), indent=2) if as_json else _printed(report))


def _chosen(run: Run, limit: int | None) -> list[Certificate]:
    certified = [each for each in run.certificates if each.conclusion.prediction is not None]
    if not certified:
        raise InvalidParameter("No image of this run is certified; there is nothing to attack.")
    return certified[:limit]


def _go_on(
    attacker: SmoothedAttack,
    chosen: Sequence[Certificate],
    kept: BracketFile,
    dataset: str | None,
    *,
    resume: bool,
) -> list[Bracket]:
    if dataset is None:
        raise InvalidParameter("The run was made from uploaded images; name their data set with --dataset.")
    pixels = pixels_by_id(dataset)
    brackets = kept.start(resume=resume)
    done = {each.image_id for each in brackets}
    with interruptible() as check, progress_bar(len(chosen), "attacking") as advance:
        advance(len(done))
        for certificate in chosen:
            if certificate.record.image_id in done:
                continue
            check()
            brackets.append(attacker.bracket(certificate, pixels(certificate.record.image_id)))
            kept.add(brackets[-1])
            advance(1)
    return brackets


def _header(run: Run, search: Search) -> dict[str, Any]:
    """Return what the brackets rest on, and what must be the same to go on with them."""
    from certd.attacks.bracket import attacked_run
    from certd.attacks.toolbox import PACKAGE, toolbox_version

    return {
        "run": attacked_run(run.manifest),
        "search": asdict(search),
        "toolbox": f"{PACKAGE} {toolbox_version()}",
    }


def _report(run: Run, search: Search, brackets: Sequence[Bracket]) -> BracketReport:
    from certd.reports.brackets import BracketReport

    return BracketReport(brackets, _header(run, search), len(run.certificates))


def _printed(report: BracketReport) -> str:
    """Return the brackets as text: tables in Markdown, which no width of a terminal cuts short."""
    from certd.reports.brackets import bracket_summary, bracket_table
    from certd.reports.tables import to_markdown

    parts = (report.conditions, to_markdown(bracket_summary(report)), to_markdown(bracket_table(report)))
    return "\n\n".join(parts)
