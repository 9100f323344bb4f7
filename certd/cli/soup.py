"""Builds the soups that the command line asks for."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from certd.datasets import Dataset
from certd.errors import Conflict, InvalidParameter
from certd.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from certd.datasets import LazyDataset
    from certd.models import SoupSpecification

MOST_DECIMALS = 4


def parse_weights(text: str, units: int | None) -> tuple[tuple[int, ...], int]:
    """Return weights as whole numbers of steps, and the steps of one whole.

    Args:
        text: Decimals such as ``0.6,0.4``, taken exactly as written; with ``units``, whole numbers.
        units: Steps of one whole; None for decimals.

    Raises:
        InvalidParameter: If it is no such list, or a decimal has more than four places.
    """
    try:
        found = [Decimal(part.strip()) for part in text.split(",")]
    except InvalidOperation:
        raise InvalidParameter(
            f"--weights takes numbers separated by commas, such as 0.6,0.4; got {text!r}."
        ) from None
    if not all(value.is_finite() for value in found):
        raise InvalidParameter("--weights takes finite numbers.")
    steps = units or 10 ** max(max(0, -int(value.as_tuple().exponent)) for value in found)
    if units is not None and any(value != value.to_integral_value() for value in found):
        raise InvalidParameter("With --units, weights are whole numbers of steps, such as 3,2 of 5.")
    if steps > 10**MOST_DECIMALS or any(abs(value) > 10**MOST_DECIMALS for value in found):
        raise InvalidParameter(f"A weight has at most {MOST_DECIMALS} decimal places.")
    return tuple(int(value if units else value * steps) for value in found), steps


def scaled_weights(text: str, units: int) -> tuple[int, ...]:
    """Return decimals such as ``0.6,0.4`` in steps of a sweep.

    Args:
        text: The weights, taken exactly as written.
        units: The sweep's steps of one whole.

    Raises:
        InvalidParameter: If it is no such list, or one of them is no whole number of steps.
    """
    steps, whole = parse_weights(text, None)
    if any(step * units % whole for step in steps):
        raise InvalidParameter("This sweep has no soup of those weights; certify one of its grid.")
    return tuple(step * units // whole for step in steps)


def parse_window(window: str) -> tuple[int, int | None]:
    """Return the first position of START:STOP and the one after the last, None for the end.

    Raises:
        InvalidParameter: If it is no window.
    """
    first, _, last = window.partition(":")
    try:
        return int(first or 0), int(last) if last else None
    except ValueError:
        raise InvalidParameter(f"Say which images as START:STOP, such as 0:1000; got {window!r}.") from None


def images_between(dataset: str, window: str) -> Dataset:
    """Return the images START:STOP of a data set, in memory.

    Raises:
        InvalidParameter: If the window is none, or empty.
    """
    from certd.datasets import open_dataset

    start, stop = parse_window(window)
    whole: Dataset | LazyDataset = open_dataset(dataset, registry=load_settings().datasets)
    chosen = whole.select(start=start, stop=stop)
    return chosen if isinstance(chosen, Dataset) else next(iter(chosen.parts(max(1, len(chosen)))))


def cook(
    name: str,
    ingredients: list[str],
    weights: str,
    units: int | None,
    dataset: str | None,
    window: str,
    sigma: float | None,
    seed: int,
    batch: int,
    registry: Path,
) -> SoupSpecification:
    """Build, check and register a soup; its statistics are written beside the registry.

    Raises:
        CertdError: As drafting, calibrating and loading it do.
    """
    from certd.models import draft_soup, load_model, register_model
    from certd.models.soup_calibration import estimate_statistics
    from certd.models.soup_loading import load_soup

    steps, whole = parse_weights(weights, units)
    specification = draft_soup(name, ingredients, steps, whole, registry=registry)
    if dataset is not None:
        if sigma is None:
            raise InvalidParameter("Say with --sigma which noise to add to the calibration images.")
        loaded = [load_model(each, registry=registry) for each in specification.soup.ingredients]
        calibration, content = estimate_statistics(
            loaded, steps, whole, images_between(dataset, window), sigma=sigma, seed=seed, batch_size=batch
        )
        uri = f"{name}.statistics.safetensors"
        _write_new(registry.parent / uri, content)
        specification = draft_soup(
            name, ingredients, steps, whole, calibration=calibration, uri=uri, registry=registry
        )
    load_soup(specification, registry.parent, lambda each: load_model(each, registry=registry))
    register_model(registry, specification)
    return specification


def _write_new(path: Path, content: bytes) -> None:
    if path.exists() and path.read_bytes() != content:
        raise Conflict(f"{path.name} is there already with other statistics; choose another name.")
    path.write_bytes(content)
