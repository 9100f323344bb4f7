"""The grid of a sweep: every way to share out one whole over some models. Needs no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Iterator

Weights = tuple[int, ...]


def weight_grid(models: int, units: int, low: int, high: int) -> Iterator[Weights]:
    """Yield every way to share out one whole over some models, in steps of ``1 / units``.

    Counted in whole steps, so no grid point is lost to rounding or met twice: four models on [-.4, 1.4] in
    steps of .2 are ``weight_grid(4, 5, -2, 7)``.

    Args:
        models: How many models, at least 1.
        units: Steps of one whole, at least 1.
        low: Least weight in steps; negative ones extrapolate.
        high: Greatest weight in steps.

    Yields:
        Weights in steps, one a model, which sum to ``units``; in rising lexical order.

    Raises:
        InvalidParameter: If an argument is outside its domain.
    """
    if models < 1 or units < 1 or low > high:
        raise InvalidParameter(
            f"A grid needs a model, a step and a range; got {models} models, {units} steps of one whole, "
            f"weights from {low} to {high}."
        )
    yield from _shares(models, units, low, high)


def _shares(models: int, rest: int, low: int, high: int) -> Iterator[Weights]:
    if models == 1:
        if low <= rest <= high:
            yield (rest,)
        return
    others = models - 1
    for first in range(max(low, rest - others * high), min(high, rest - others * low) + 1):
        for following in _shares(others, rest - first, low, high):
            yield (first, *following)
