"""What the commands of ``certd soup`` share: opening a sweep, cooking its soups, printing its report."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from certd.cli.soup import images_between, parse_window, scaled_weights
from certd.errors import Conflict, InvalidParameter
from certd.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from certd.models import BaseClassifier
    from certd.models.soup_family import CalibrationImages, SoupFamily
    from certd.reports.soup_report import SoupReport
    from certd.smoothing.soup_question import SoupSweep
    from certd.smoothing.soup_sweep import SweepFolder


def open_folder(path: Path) -> SweepFolder:
    """Return the sweep that lies in a folder."""
    from certd.smoothing.soup_sweep import SweepFolder

    return SweepFolder(path)


def calibration_images(
    dataset: str | None,
    window: str,
    sigma: float | None,
    sigmas: Sequence[float],
    seed: int,
    batch_size: int,
) -> CalibrationImages | None:
    """Return the calibration that was asked for, if any.

    Raises:
        InvalidParameter: If it is not clear which noise to add.
    """
    from certd.models.soup_family import CalibrationImages

    if dataset is None:
        return None
    if sigma is None and len(sigmas) != 1:
        raise InvalidParameter("Say with --calibrate-sigma which of the noise levels to add.")
    noise = sigmas[0] if sigma is None else sigma
    return CalibrationImages(images_between(dataset, window), noise, seed, batch_size)


def window_of(window: str) -> dict[str, int]:
    """Return START:STOP under the names of a service."""
    start, stop = parse_window(window)
    return {"start": start} if stop is None else {"start": start, "stop": stop}


def calibration_request(
    dataset: str | None, window: str, sigma: float | None, batch_size: int
) -> dict[str, Any] | None:
    """Return the calibration that was asked for under the names of a service, if any."""
    if dataset is None:
        return None
    asked = {"dataset": dataset, **window_of(window), "sigma": sigma, "batch_size": batch_size}
    return {name: value for name, value in asked.items() if value is not None}


def family_of(ingredients: Sequence[str], calibration: CalibrationImages | None) -> SoupFamily:
    """Return the soups of some registered models."""
    from certd.models import load_model
    from certd.models.soup_family import SoupFamily

    registry = load_settings().models
    return SoupFamily(ingredients, lambda each: load_model(each, registry=registry), calibration)


def read_report(folder: SweepFolder, threats: Sequence[str] | None) -> SoupReport:
    """Return the report of the members that are finished.

    Raises:
        Conflict: If none is.
    """
    from certd.reports.sweep_report import report_of_sweep

    sweep = folder.question()
    for member in sweep.members:
        if why := folder.refused(member):
            sys.stderr.write(f"{sweep.name(member)}: {why}\n")
    return report_of_sweep(sweep, folder.read, threats or ())


def print_report(report: SoupReport) -> None:
    """Print the soups, best first, and what choosing costs, as Markdown."""
    from certd.reports.figures.soups import selection_table, soup_table
    from certd.reports.soup_report import WINNERS_CURSE
    from certd.reports.tables import to_markdown

    print(to_markdown(soup_table(report)))
    selection = selection_table(report)
    if selection.rows:
        print(to_markdown(selection))
    print(WINNERS_CURSE)


def chosen_weights(folder: SweepFolder, text: str | None, threats: Sequence[str] | None) -> tuple[int, ...]:
    """Return the weights of the soup that was named, or of the best one, in steps of the sweep.

    Raises:
        InvalidParameter: If the sweep has no such soup, or is not finished.
    """
    sweep = folder.question()
    if text is None:
        report = read_report(folder, threats)
        if any(
            folder.read(each, sigma) is None and not folder.refused(each)
            for each in sweep.members
            for sigma in sweep.sigmas
        ):
            raise InvalidParameter("This sweep is not finished; go on with it, or name a soup by --weights.")
        best = report.best(1)[0].weights
        return best or ()
    scaled = scaled_weights(text, sweep.units)
    if scaled not in sweep.grid:
        raise InvalidParameter("This sweep has no soup of those weights; certify one of its grid.")
    return scaled


def register_chosen(folder: SweepFolder, name: str, weights: tuple[int, ...]) -> BaseClassifier:
    """Register a soup of the sweep, unless that was done, and return it as it is loaded.

    Raises:
        Conflict: If the name is another model's.
        InvalidParameter: If there is no registry.
    """
    from certd.models import draft_soup, find_model, load_model, model_names, register_model

    registry = load_settings().models
    if registry is None:
        raise InvalidParameter("The chosen soup is registered before it is certified; set CERTD_MODELS.")
    sweep = folder.question()
    cooked = family_of(sweep.ingredients, _again(sweep)).cook(name, weights, sweep.units)
    uri = None if cooked.statistics is None else f"{name}.statistics.safetensors"
    draft = draft_soup(
        name, [each.partition("@")[0] for each in sweep.ingredients], weights, sweep.units,
        calibration=cooked.soup.calibration, uri=uri, registry=registry,
    )  # fmt: skip
    if name not in model_names(registry=registry):
        if uri is not None and cooked.statistics is not None:
            (registry.parent / uri).write_bytes(cooked.statistics)
        register_model(registry, draft)
    elif find_model(name, registry=registry).digest != draft.digest:
        raise Conflict(f"{name} is registered as another model; choose another name.")
    return load_model(draft.reference, registry=registry)


def _again(sweep: SoupSweep) -> CalibrationImages | None:
    """Return the calibration of a sweep, from what its question says."""
    from certd.models.soup_family import CalibrationImages

    told = sweep.calibration
    if told is None:
        return None
    whole = images_between(told["dataset"], ":")
    chosen = whole.select(indices=told["image_ids"])
    return CalibrationImages(chosen, told["sigma"], told["seed"], told["batch_size"])
