"""``certd autoattack``: what the presets of AutoAttack leave standing of a base classifier."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from certd.cli import options
from certd.cli.display import progress_bar
from certd.cli.images import ChosenImages
from certd.cli.interruption import interruptible
from certd.cli.models import FileConventions, open_classifier
from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from certd.attacks.auto_attack import AutoAttacker, AutoAttackSettings, Preset
    from certd.attacks.stages import Stage, StageFile
    from certd.datasets import Dataset, LazyDataset
    from certd.reports.robust_accuracy import RobustAccuracy

ATTACK_PRESETS: tuple[Preset, ...] = ("standard", "plus", "rand")


def autoattack(
    model: options.Model,
    dataset: options.DatasetName,
    out: Annotated[Path, typer.Option(help="Keep what is found here, stage by stage.")],
    eps: Annotated[
        str, typer.Option(help="Longest perturbation, pixels in [0, 1]: 0.03, or 8/255.")
    ] = "8/255",
    norm: Annotated[str, typer.Option(help="Of perturbations: linf or l2.")] = "linf",
    version: Annotated[
        str, typer.Option(help="standard, plus, or rand: 20 answers a gradient, for random classifiers.")
    ] = "standard",
    seed: Annotated[int, typer.Option(help="Of all that the attacks draw.")] = 0,
    batch: Annotated[int, typer.Option(help="Images attacked at once; a stage is one attack on them.")] = 250,
    iterations: Annotated[
        int | None, typer.Option(help="Of APGD and FAB, for a trial: no longer AutoAttack.")
    ] = None,
    queries: Annotated[int | None, typer.Option(help="Of Square, for a trial: no longer AutoAttack.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with --out.")] = False,
    model_info: Annotated[
        Path | None, typer.Option(help="Write model_info JSON here, for `certd claims compare`.")
    ] = None,
    skip: options.Skip = 1,
    start: options.Start = 0,
    stop: options.Stop = None,
    limit: options.Limit = None,
    preset: options.PresetName = None,
    architecture: options.Architecture = None,
    mean: options.Mean = None,
    std: options.Std = None,
    device: options.Device = "cpu",
    as_json: options.AsJson = False,
) -> None:
    """Attack a base classifier, without noise, and print the accuracy that is left after each attack."""
    from certd.attacks.auto_attack import AutoAttacker, AutoAttackSettings
    from certd.attacks.stages import StageFile
    from certd.reports.robust_accuracy import RobustAccuracy

    settings = AutoAttackSettings(
        _length(eps), options.parse_attack_norm(norm), _version(version), seed, batch, iterations, queries
    )
    classifier = open_classifier(model, device, FileConventions(preset, architecture, mean, std))
    attacker = AutoAttacker(classifier, settings)
    chosen = ChosenImages(dataset, skip, start, stop, limit)
    images = chosen.open()
    header = _header(classifier.reference, chosen, len(images), attacker, settings)
    stages = _go_on(attacker, images, StageFile(out, header), batch, resume=resume)
    report = RobustAccuracy(header, stages)
    if model_info is not None:
        _write_model_info(model_info, report)
    for warning in report.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    print(json.dumps(report.as_json(), indent=2) if as_json else _printed(report))


def _header(
    reference: str, chosen: ChosenImages, images: int, attacker: AutoAttacker, settings: AutoAttackSettings
) -> dict[str, Any]:
    """Return what the stages rest on, and what must be the same to go on with them."""
    return {
        "model": reference,
        "dataset": chosen.dataset,
        "selection": chosen.selection,
        "images": images,
        "settings": asdict(settings),
        "attacks": list(attacker.attacks),
        "package": attacker.package,
    }


def _go_on(
    attacker: AutoAttacker, images: Dataset | LazyDataset, kept: StageFile, batch: int, *, resume: bool
) -> list[Stage]:
    """Carry out what is missing; the first Ctrl-C waits for the stage that runs, a second one drops it."""
    from certd.attacks.robustness import missing_stages

    stages = kept.start(resume=resume)
    total = -(-len(images) // batch) * (1 + len(attacker.attacks))
    with interruptible() as check, progress_bar(total, "attacking") as advance:
        advance(len(stages))
        for stage in missing_stages(attacker, images, batch, tuple(stages)):
            kept.add(stage)
            stages.append(stage)
            advance(1)
            check()
    return stages


def _write_model_info(path: Path, report: RobustAccuracy) -> None:
    from certd.reports.claims import write_model_info
    from certd.reports.robust_accuracy import as_model_info

    path.write_text(write_model_info(as_model_info(report)))
    sys.stderr.write(f"wrote {path}\n")


def _printed(report: RobustAccuracy) -> str:
    from certd.reports.robust_accuracy import standing_table
    from certd.reports.tables import to_markdown

    settings = report.made["settings"]
    said = (
        f"AutoAttack {settings['preset']}, {settings['norm']}, eps = {settings['eps']:.6g} · "
        f"{report.made['package']} · {report.images:,} images, {settings['batch_size']} at once, "
        f"seed {settings['seed']}"
    )
    return f"{said}\n\n{to_markdown(standing_table(report))}"


def _length(text: str) -> float:
    from certd.reports.claims.claim import parse_eps

    found = parse_eps(text)
    if found is None:
        raise InvalidParameter("--eps is a number or a fraction, such as 8/255.")
    return float(found)


def _version(text: str) -> Preset:
    for preset in ATTACK_PRESETS:
        if text == preset:
            return preset
    raise InvalidParameter(f"--version is {', '.join(ATTACK_PRESETS)}; got {text!r}.")
