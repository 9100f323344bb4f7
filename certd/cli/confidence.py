"""``certd confidence``: a robust and a normal classifier, how sure they are on clean and attacked images."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from certd.cli import options
from certd.cli.images import ChosenImages
from certd.cli.models import FileConventions, open_classifier
from certd.errors import InvalidParameter, ShapeMismatch

if TYPE_CHECKING:
    from certd.attacks.perturbation import AttackName, Budget
    from certd.datasets import Dataset, LazyDataset
    from certd.models import BaseClassifier
    from certd.reports.pair_confidence import Answers, PairReport

COLUMNS: dict[str, AttackName | None] = {"clean": None, "PGD": "pgd", "Square": "square"}


def confidence(
    robust: Annotated[str, typer.Argument(help="Registered model, or a file or URI: the robust one.")],
    normal: Annotated[str, typer.Argument(help="The normal one, of the same architecture at best.")],
    dataset: options.DatasetName,
    eps: Annotated[
        str, typer.Option(help="Longest perturbation, pixels in [0, 1]: .03, or 8/255.")
    ] = "8/255",
    norm: Annotated[str, typer.Option(help="Of perturbations: linf or l2.")] = "linf",
    steps: Annotated[int, typer.Option(help="Steps of PGD.")] = 20,
    restarts: Annotated[int, typer.Option(help="Random starts of PGD.")] = 1,
    queries: Annotated[int, typer.Option(help="Answers that Square may ask for.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the attacks and of the intervals.")] = 0,
    batch: Annotated[int, typer.Option(help="Images attacked at once.")] = 128,
    skip: options.Skip = 1,
    start: options.Start = 0,
    stop: options.Stop = None,
    limit: options.Limit = None,
    preset: options.PresetName = None,
    architecture: options.Architecture = None,
    device: options.Device = "cpu",
    html: Annotated[Path | None, typer.Option(help="Write the page here; it needs no network.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Attack two base classifiers and hold how sure they are against how often they are right."""
    from certd.attacks.perturbation import Budget
    from certd.reports.pair_page import pair_page

    images = ChosenImages(dataset, skip, start, stop, limit)
    conventions = FileConventions(preset, architecture)
    pair = [open_classifier(name, device, conventions) for name in (robust, normal)]
    budget = Budget(_length(eps), options.parse_attack_norm(norm), steps, restarts, queries, seed, batch)
    report = _report((pair[0], pair[1]), images, budget)
    if html is not None:
        html.write_text(pair_page(report))
        sys.stderr.write(f"wrote {html}\n")
    print(json.dumps(report.as_json(), indent=2) if as_json else _printed(report))


def _report(pair: tuple[BaseClassifier, BaseClassifier], images: ChosenImages, budget: Budget) -> PairReport:
    from certd.attacks.toolbox import PACKAGE, toolbox_version
    from certd.reports.pair_confidence import PairReport, pair_column

    opened = images.open()
    for classifier in pair:
        _check(classifier, opened)
    columns = []
    for name, attack in COLUMNS.items():
        first, second = (_answers(classifier, opened, attack, budget) for classifier in pair)
        columns.append(pair_column(name, first, second, budget.seed))
    said = {
        "dataset": images.dataset, "selection": images.selection, "images": len(opened),
        **asdict(budget), "step_size": budget.step_size, "references": [one.reference for one in pair],
        "toolbox": f"{PACKAGE} {toolbox_version()}",
    }  # fmt: skip
    alike = str(pair[0].module) == str(pair[1].module)
    return PairReport((pair[0].name, pair[1].name), said, tuple(columns), alike)


def _check(classifier: BaseClassifier, images: Dataset | LazyDataset) -> None:
    if images.labels is None:
        raise InvalidParameter("An attack goes away from the label; this data set has none.")
    shape = tuple(images.images.shape[1:])
    if shape != classifier.input_shape:
        raise ShapeMismatch(f"{classifier.name} takes images of {classifier.input_shape}; these are {shape}.")


def _answers(
    classifier: BaseClassifier, images: Dataset | LazyDataset, attack: AttackName | None, budget: Budget
) -> Answers:
    """Attack and ask a batch at a time, so that no more of the set is held."""
    import numpy as np

    from certd.attacks.answering import softmax_of
    from certd.attacks.perturbation import perturbed
    from certd.reports.pair_confidence import Answers

    labels, found = np.asarray(images.labels), []
    for start in range(0, len(labels), budget.batch_size):
        rows = np.arange(start, min(start + budget.batch_size, len(labels)))
        pixels = images.images[rows].astype(np.float32) / np.float32(255)
        if attack is not None:
            own = replace(budget, seed=budget.seed + start)
            pixels = perturbed(classifier, pixels, labels[rows], attack, own)
        found.append(softmax_of(classifier, pixels, budget.batch_size))
        sys.stderr.write(f"{classifier.name}, {attack or 'clean'}: {rows[-1] + 1:,} of {len(labels):,}\n")
    return Answers.of(np.concatenate(found), labels)


def _length(text: str) -> float:
    """Read a length that may be a fraction, as eps is usually written."""
    try:
        above, _, below = text.partition("/")
        return float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        raise InvalidParameter(f"--eps is a number or a fraction, such as 8/255; got {text!r}.") from None


def _printed(report: PairReport) -> str:
    """Return the pair as text: tables in Markdown, which no width of a terminal cuts short."""
    from certd.reports.pair_page import conditions_of, measures_table
    from certd.reports.tables import to_markdown

    parts = [conditions_of(report), *(f"LOOK TWICE: {warning}" for warning in report.warnings)]
    parts += [to_markdown(measures_table(report, column)) for column in report.columns]
    return "\n\n".join(parts)
