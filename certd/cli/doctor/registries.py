"""Looks at the operator's registries: whether they can be read, and whether what they name is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.cli.doctor.finding import broken, fine
from certd.errors import CertdError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from certd.cli.doctor.finding import Finding
    from certd.models import Specification
    from certd.settings import Settings


def look_at_registries(settings: Settings) -> Iterator[Finding]:
    """Read both registries as the service does; digests are checked when a model is loaded, not here."""
    yield from _look_at_models(settings.models)
    yield from _look_at_datasets(settings.datasets)


def _look_at_models(registry: Path | None) -> Iterator[Finding]:
    from certd.models import model_names
    from certd.models.registry import read_registry

    try:
        names = model_names(registry=registry)
        entries = {} if registry is None else read_registry(registry)
    except CertdError as error:
        yield broken("models", error.message, "Mend CERTD_MODELS; no job is accepted before.")
        return
    yield fine("models", f"{len(names)} registered: {', '.join(names)}")
    for name, model in entries.items():
        if registry is not None and model.uri is not None and not (registry.parent / model.uri).exists():
            yield broken(
                "models", f"{name}: {model.uri} is not there", "Restore the file, or `models remove`."
            )
        yield from _look_at_parts(model, registry)


def _look_at_parts(model: Specification, registry: Path | None) -> Iterator[Finding]:
    """Say where a mixture or a soup pins a model that is gone, or was registered anew as another one."""
    from certd.models import find_model, parts_of

    for part in parts_of(model):
        try:
            find_model(part, registry=registry)
        except CertdError as error:
            yield broken(
                "models", f"{model.name}: {error.message}", f"Register the {model.architecture} again."
            )


def _look_at_datasets(registry: Path | None) -> Iterator[Finding]:
    from certd.datasets import dataset_names
    from certd.datasets.registry import read_registered
    from certd.datasets.uri import DatasetUri

    try:
        names = dataset_names(registry=registry)
        entries = {} if registry is None else read_registered(registry)
        paths = {name: DatasetUri.parse(entry.uri) for name, entry in entries.items()}
    except CertdError as error:
        yield broken("data sets", error.message, "Mend CERTD_DATASETS; no job names a data set before.")
        return
    yield fine("data sets", f"{len(names)} registered: {', '.join(names)}")
    for name, uri in paths.items():
        place = uri.options.get("root", uri.path)
        if registry is not None and not (registry.parent / place).exists():
            yield broken("data sets", f"{name}: {place} is not there", "Restore it, or take the entry out.")
