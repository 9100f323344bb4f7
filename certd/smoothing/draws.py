"""Name the draws of a certification: which noisy copies exist, and what they counted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from certd.errors import InvalidParameter
from certd.smoothing.votes import ConfidenceSums, SoftSums, Votes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from certd.smoothing.standard import StandardOutput

PHASE_BITS = 30
MAX_DRAWS_PER_PHASE = 1 << PHASE_BITS


class Phase(IntEnum):
    """What a draw is for; draws of two phases never coincide.

    The value fills the top two bits of the 32-bit draw index of the noise stream, so the phases own disjoint
    ranges whatever the budgets are. A bound may count draws of one phase only.
    """

    ESTIMATION = 0
    SELECTION = 1
    PILOT = 2
    CHECK = 3

    def index(self, draw: int) -> int:
        """Return the stream's draw index of this phase's ``draw``, in [0, 2**30)."""
        return self.value << PHASE_BITS | draw


@dataclass(frozen=True, slots=True)
class Draws:
    """A contiguous range of draws of one phase."""

    phase: Phase
    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.stop <= MAX_DRAWS_PER_PHASE:
            raise InvalidParameter(
                f"A phase holds {MAX_DRAWS_PER_PHASE} draws; asked for {self.start} to {self.stop}."
            )

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Tally:
    """Class counts over the draws ``[0, draws)`` of one phase.

    Attributes:
        draws: Draws counted so far.
        counts: Votes a class, int64[class], summing to ``draws``.
        trail: The tested class's cumulative count at each finished stage, for plans that look more than once.
        soft: Sums of soft votes over the same draws, where the plan asked for them.
        confidence: How sure the classifier was on the same draws, where that was asked for.
    """

    draws: int
    counts: NDArray[np.int64]
    trail: tuple[int, ...] = ()
    soft: SoftSums | None = None
    confidence: ConfidenceSums | None = None

    def add(self, votes: Votes, tested_class: int | None = None) -> Tally:
        """Return the tally with one more stage of ``votes`` in it."""
        total = Votes(self.counts, self.soft, self.confidence) + votes
        trail = self.trail if tested_class is None else (*self.trail, int(total.counts[tested_class]))
        return Tally(int(total.counts.sum()), total.counts, trail, total.soft, total.confidence)


@dataclass(frozen=True, slots=True)
class Record:
    """Everything observed about one image: enough to recompute its certificate, or to go on sampling.

    Attributes:
        image_id: Stable 64-bit name of the image inside its set; it seeds the noise.
        image_sha256: Digest of the uint8 pixels in channel, height, width order.
        label: True class, when known.
        tallies: One tally a phase that was begun.
        standard: What the standard classifier of a mixture says of the clean image; None without a mixture.
        clean_scores: The base classifier's softmax of the clean image in units of 2**-32, one a class; None
            unless it was asked how sure the classifier is.
    """

    image_id: int
    image_sha256: str
    label: int | None = None
    tallies: dict[Phase, Tally] = field(default_factory=dict)
    standard: StandardOutput | None = None
    clean_scores: tuple[int, ...] | None = None

    def drawn(self, phase: Phase) -> int:
        """Return how many draws of ``phase`` were counted."""
        tally = self.tallies.get(phase)
        return 0 if tally is None else tally.draws

    @property
    def total_draws(self) -> int:
        """Return the draws spent on this image, all phases together."""
        return sum(tally.draws for tally in self.tallies.values())

    @property
    def trail(self) -> tuple[int, ...]:
        """Return the tested class's cumulative hits at the looks so far."""
        tally = self.tallies.get(Phase.ESTIMATION)
        return () if tally is None else tally.trail

    def observe(
        self, draws: Draws, votes: Votes | NDArray[np.int64], tested_class: int | None = None
    ) -> Record:
        """Return the record after ``draws`` were counted.

        Raises:
            InvalidParameter: If ``draws`` do not continue where the phase stands, which would count twice.
        """
        votes = votes if isinstance(votes, Votes) else Votes(votes)
        num_votes = int(votes.counts.sum())
        if draws.start != self.drawn(draws.phase) or num_votes != len(draws):
            raise InvalidParameter(
                f"Draws {draws.start}:{draws.stop} of phase {draws.phase.name} do not follow the "
                f"{self.drawn(draws.phase)} already counted, or {num_votes} votes are not {len(draws)}."
            )
        before = self.tallies.get(draws.phase)
        after = Tally(0, np.zeros_like(votes.counts)) if before is None else before
        tally = after.add(votes, tested_class)
        if before is None:
            tally = replace(tally, soft=votes.soft, confidence=votes.confidence)
        return replace(self, tallies={**self.tallies, draws.phase: tally})
