"""Deterministic smoothing in l1 by splitting noise: exact integer certificates, no failure probability.

Every coordinate i is told only between which two split points it lies. The split points stand half a step off
the pixel grid, ``levels`` steps apart, at ``s_i + 1/2 + levels * j`` with ``s_i = (s + offset_i) mod
levels``; all coordinates move together as s runs through 0, ..., levels - 1, so that there are only
``levels`` noisy copies, and all of them are classified.

**Why it certifies.** Moving one pixel by one step crosses a single half-step, which is a split point for
exactly one of the ``levels`` values of s; for every other s the copy stays the same. So a perturbation of l1
size k / 255 changes at most k of the votes, whatever the base classifier is and whatever the offsets are.

References:
    Levine and Feizi (2021), "Improved, deterministic smoothing for l1 certified robustness",
    arXiv:2103.10834, theorem 2 and section 4 (quantised inputs).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from certd.errors import InvalidParameter, OutOfRange
from certd.noise.quantized import LEVELS

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class SplittingNoise:
    """Splitting noise for images with pixels 0..255.

    Args:
        levels: Distance of two split points in steps of 1/255, at least 1; also the number of noisy copies.
        seed: Key of the coordinates' offsets, in [0, 2**64). Part of the classifier, not of the guarantee.

    Raises:
        InvalidParameter: If an argument lies outside its domain.
    """

    levels: int
    seed: int

    def __post_init__(self) -> None:
        if self.levels < 1 or not 0 <= self.seed < 1 << 64:
            raise InvalidParameter(f"levels must be at least 1 and the seed fit 64 bits; got {self}.")

    def offsets(self, dimension: int) -> NDArray[np.int64]:
        """Return where each coordinate's split points start, in [0, levels): fixed by the seed alone."""
        raw = np.random.Philox(key=self.seed).random_raw(dimension)
        return (raw % np.uint64(self.levels)).astype(np.int64)

    def certified_steps(self, counts: NDArray[np.int64]) -> int:
        """Return how many steps of 1/255, in l1, cannot change the smoothed prediction.

        The prediction is the class with most votes, the lowest of them in a tie. Exact: no failure
        probability, and no larger number holds for every base classifier with these counts.

        Args:
            counts: Votes a class over all ``levels`` copies, int64[class] with at least two classes.

        Returns:
            The number of steps, in [0, levels / 2].

        Raises:
            OutOfRange: If the votes are not one a copy.
        """
        if counts.size < 2 or counts.min() < 0 or int(counts.sum()) != self.levels:
            raise OutOfRange(f"Every one of the {self.levels} copies has one vote; got counts {counts}.")
        top = int(counts.argmax())
        others = np.delete(counts + (np.arange(counts.size) < top), top)
        return int(counts[top] - others.max()) // 2

    def radius(self, counts: NDArray[np.int64]) -> float:
        """Return the certified l1 radius between grid images, in input units: whole steps of 1/255."""
        return self.certified_steps(counts) / LEVELS
