"""Whether a confidence means what it says: measures of calibration, from sums over equal bins.

References:
    Grabinski, Gavrikov, Keuper and Keuper (2022), Robust models are less over-confident, arXiv:2210.05938;
    Guo et al. (2017), On calibration of modern neural networks, arXiv:1706.04599.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from certd.errors import InvalidParameter
from certd.smoothing.votes import BINS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

WRONG, RIGHT = 0, 1


@dataclass(frozen=True, slots=True, eq=False)
class ConfidenceBins:
    """Answers by whether they were right and by confidence, in equal bins of [0, 1].

    Attributes:
        counts: How many, int64[2, bin]: wrong, right.
        sums: Their confidence added up, float64[2, bin].
    """

    counts: NDArray[np.int64]
    sums: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.counts.shape != self.sums.shape or self.counts.shape[0] != 2 or not self.counts.sum():
            raise InvalidParameter("Calibration needs at least one answer, wrong and right ones by bins.")

    @property
    def accuracy(self) -> float:
        """Return the share of right answers."""
        return float(self.counts[RIGHT].sum() / self.counts.sum())

    @property
    def confidence(self) -> float:
        """Return the mean confidence."""
        return float(self.sums.sum() / self.counts.sum())

    @property
    def over_confidence(self) -> float:
        """Return ``E[z | wrong]``; 0 where nothing is wrong."""
        return _ratio(self.sums[WRONG].sum(), self.counts[WRONG].sum())

    @property
    def under_confidence(self) -> float:
        """Return ``E[1 - z | right]``; 0 where nothing is right.

        With :attr:`over_confidence` o: ``|o P(wrong) - u P(right)| = |mean z - accuracy| <= ECE_1``.
        """
        right = self.counts[RIGHT].sum()
        return _ratio(right - self.sums[RIGHT].sum(), right)

    def calibration_error(self, power: float = 1.0) -> float:
        """Return ``E[|z - P(right | z)|^p]^(1/p)``, both means taken within each bin.

        Args:
            power: p, at least 1; infinity gives the largest error of any bin.

        Raises:
            InvalidParameter: If ``power`` is below 1.
        """
        if not power >= 1:
            raise InvalidParameter(f"The power of a calibration error is at least 1; got {power}.")
        total = self.counts.sum(axis=0)
        filled = total > 0
        gaps = np.abs(self.sums.sum(axis=0) - self.counts[RIGHT])[filled] / total[filled]
        if power == np.inf:
            return float(gaps.max())
        weights = total[filled] / total.sum()
        return float((weights * gaps**power).sum() ** (1 / power))

    @property
    def rows(self) -> list[tuple[float, float, int, float, float]]:
        """Return each filled bin: its ends, answers, mean confidence and share of right ones."""
        total, edges = self.counts.sum(axis=0), np.linspace(0, 1, self.counts.shape[1] + 1)
        return [
            (
                float(edges[i]),
                float(edges[i + 1]),
                int(total[i]),
                float(self.sums[:, i].sum() / total[i]),
                float(self.counts[RIGHT, i] / total[i]),
            )
            for i in np.flatnonzero(total)
        ]


def bins_of(confidence: ArrayLike, right: ArrayLike) -> ConfidenceBins:
    """Sort single answers into bins.

    Args:
        confidence: In [0, 1], float[answer].
        right: Whether each was right, bool[answer].
    """
    z, correct = np.asarray(confidence, np.float64), np.asarray(right, np.int64)
    place = np.minimum((z * BINS).astype(np.int64), BINS - 1)
    counts, sums = np.zeros((2, BINS), np.int64), np.zeros((2, BINS))
    np.add.at(counts, (correct, place), 1)
    np.add.at(sums, (correct, place), z)
    return ConfidenceBins(counts, sums)


def _ratio(total: float, count: float) -> float:
    return float(total / count) if count else 0.0
