"""What may be said about a whole test set, carried with the words that make it true."""

from __future__ import annotations

from dataclasses import dataclass

INDEPENDENT_NOISE = "It assumes that the noise is independent across images."
INDEPENDENT_IMAGES = (
    "It assumes that the images are independent draws from the population, "
    "and the noise independent across images."
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A guarantee about many images at once.

    Attributes:
        name: Stable key, such as ``population-curve``.
        values: The bounds themselves, in the order of whatever they were asked for; rounded to the safe side.
        level: Probability with which the statement holds, in (0, 1).
        sentence: What is guaranteed and under which assumptions, in words a reader may quote.
    """

    name: str
    values: tuple[float, ...]
    level: float
    sentence: str
