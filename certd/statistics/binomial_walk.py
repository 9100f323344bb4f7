"""Follow a count of hits from look to look, exactly, while it stays below a boundary.

Every number is a sum of products of positive numbers, so its relative error is some thousand roundings a
look: below 1e-10 over 100 looks, against the ``INFLATION`` of 1e-9 that the tails carry. What is cut off goes
to the side that makes crossing likelier: improbable low counts are moved up to the lowest one kept, and a
look's improbable high steps, less than ``TRUNCATION`` together, are charged to the tail. So no tail is ever
understated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

INFLATION = 1e-9
TRUNCATION = 1e-15
REACH = 8.5
NEGLIGIBLE = 1e-13


@dataclass(frozen=True, slots=True)
class BinomialWalk:
    """The law of the count at one look, on the paths that have not crossed.

    Attributes:
        start: The lowest count kept.
        mass: Probability of ``start``, ``start + 1``, ...; float64[counts].
    """

    start: int
    mass: NDArray[np.float64]

    @classmethod
    def begin(cls) -> BinomialWalk:
        """Return the walk before the first draw: no hits, surely."""
        return cls(0, np.ones(1))

    def after(self, trials: int, probability: float) -> BinomialWalk:
        """Return the walk after so many more draws."""
        lowest, steps = binomial_mass(trials, probability)
        return BinomialWalk(self.start + lowest, np.convolve(self.mass, steps))

    def tail(self, threshold: int) -> float:
        """Return P(count >= threshold, not crossed before), never understated."""
        return float(self._tails()[np.clip(threshold - self.start, 0, len(self.mass))])

    def least_count(self, allowance: float) -> int:
        """Return the least threshold whose tail is within an allowance of more than ``TRUNCATION``."""
        tails = self._tails()
        return self.start + len(tails) - int(np.searchsorted(tails[::-1], allowance, side="right"))

    def below(self, boundary: int) -> BinomialWalk:
        """Return the walk on the paths that stay below a boundary, improbable low counts moved up."""
        if boundary <= self.start:
            return BinomialWalk(self.start, np.zeros(1))
        mass = self.mass[: boundary - self.start]
        drop = min(int(np.searchsorted(np.cumsum(mass), NEGLIGIBLE)), len(mass) - 1)
        kept = mass[drop:].copy()
        kept[0] += mass[:drop].sum()
        return BinomialWalk(self.start + drop, kept)

    def _tails(self) -> NDArray[np.float64]:
        """Return the tail from each count kept, and from beyond the last."""
        sums = np.cumsum(self.mass[::-1])[::-1]
        return np.append(sums * (1 + INFLATION), 0.0) + TRUNCATION


def binomial_mass(trials: int, probability: float) -> tuple[int, NDArray[np.float64]]:
    """Return the lowest likely value of Bin(trials, probability) and the mass from there on.

    Built outwards from the mode by the ratio of neighbours, which keeps relative precision, and normalised.
    """
    mode = min(int((trials + 1) * probability), trials)
    reach = int(REACH * (trials * probability * (1 - probability)) ** 0.5 + 60)
    odds = probability / (1 - probability)
    up = np.arange(mode, min(mode + reach, trials), dtype=np.float64)
    down = np.arange(mode, max(mode - reach, 0), -1, dtype=np.float64)
    above = np.cumprod((trials - up) / (up + 1) * odds)
    below = np.cumprod(down / (trials - down + 1) / odds)
    mass = np.concatenate([below[::-1], [1.0], above])
    return mode - len(below), mass / mass.sum()
