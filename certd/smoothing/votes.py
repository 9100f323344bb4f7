"""Votes: what one noisy copy contributes to the counts of its image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# hard: the class of the largest logit. thinned: a class drawn with the softmax's probabilities. summed: hard
# votes, and beside them the sums of the softmax and of its square.
VoteKind = Literal["hard", "thinned", "summed"]

# Sums are kept in integers, so that they add up alike in any order; a score is cut to 32 bits after the
# point.
SCALE = 1 << 32


@dataclass(frozen=True, slots=True)
class SoftSums:
    """Sums of soft votes over draws, in units of 2**-32.

    Attributes:
        scores: Sum of the softmax, int64[class].
        squares: Sum of its square, int64[class].
    """

    scores: NDArray[np.int64]
    squares: NDArray[np.int64]

    def __add__(self, other: SoftSums) -> SoftSums:
        return SoftSums(self.scores + other.scores, self.squares + other.squares)


@dataclass(frozen=True, slots=True)
class Votes:
    """The votes of one request: class counts, and sums of soft votes where they were asked for."""

    counts: NDArray[np.int64]
    soft: SoftSums | None = None

    def __add__(self, other: Votes) -> Votes:
        soft = None if self.soft is None or other.soft is None else self.soft + other.soft
        return Votes(self.counts + other.counts, soft)
