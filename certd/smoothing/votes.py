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


BINS = 15
# The log loss of one draw is cut to 24 bits after the point, and above 100: a phase of draws then adds up to
# less than 2**61.
LOSS_SCALE = 1 << 24
MOST_LOSS = 100.0


@dataclass(frozen=True, slots=True)
class ConfidenceSums:
    """How sure the base classifier was on noisy copies of one image; its confidence is its largest softmax.

    Attributes:
        scores: Sum of the softmax in units of 2**-32, int64[class].
        squares: Sum of its square, likewise.
        draws: Draws by whether they were right and by confidence in equal bins, int64[2, bin]: wrong, right.
        confidence: Sum of the confidence of those draws in units of 2**-32, int64[2, bin].
        log_loss: Sum of ``-ln`` of the label's softmax, at most 100 a draw, in units of 2**-24.
    """

    scores: NDArray[np.int64]
    squares: NDArray[np.int64]
    draws: NDArray[np.int64]
    confidence: NDArray[np.int64]
    log_loss: int

    def __add__(self, other: ConfidenceSums) -> ConfidenceSums:
        return ConfidenceSums(
            self.scores + other.scores,
            self.squares + other.squares,
            self.draws + other.draws,
            self.confidence + other.confidence,
            self.log_loss + other.log_loss,
        )


@dataclass(frozen=True, slots=True)
class Votes:
    """The votes of one request: class counts, and further sums where they were asked for."""

    counts: NDArray[np.int64]
    soft: SoftSums | None = None
    confidence: ConfidenceSums | None = None

    def __add__(self, other: Votes) -> Votes:
        soft = None if self.soft is None or other.soft is None else self.soft + other.soft
        sure, surer = self.confidence, other.confidence
        confidence = None if sure is None or surer is None else sure + surer
        return Votes(self.counts + other.counts, soft, confidence)
