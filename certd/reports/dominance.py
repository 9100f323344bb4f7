"""Which of two survival curves lies above, and where they cross."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Leader = Literal["first", "second", "neither"]


@dataclass(frozen=True, slots=True)
class Order:
    """How two curves over one grid lie to each other.

    Attributes:
        dominant: The run whose curve is nowhere below and somewhere above the other; ``neither`` where they
            cross or coincide.
        crossings: Grid points at which the lead passes to the other run, rising.
    """

    dominant: Leader
    crossings: tuple[float, ...]


def order_of_curves(
    grid: NDArray[np.float64], first: NDArray[np.float64], second: NDArray[np.float64]
) -> Order:
    """Compare two curves point by point; ties keep the lead where it was.

    Args:
        grid: Where both are read, float64[point], rising.
        first: The first run's curve, float64[point].
        second: The second run's curve, float64[point].

    Returns:
        First-order stochastic dominance on the images at hand, or the crossings. It is no test: chance in
        the draw of images is not allowed for.
    """
    lead = np.sign(first - second)
    apart = np.flatnonzero(lead)
    if not apart.size:
        return Order("neither", ())
    turns = apart[1:][np.diff(lead[apart]) != 0]
    if turns.size:
        return Order("neither", tuple(float(x) for x in grid[turns]))
    return Order("first" if lead[apart[0]] > 0 else "second", ())
