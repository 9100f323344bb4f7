"""A sweep as a job: one job of many runs, a soup under a noise level each."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from certd.smoothing.soup_question import SoupSweep

TOP_K, MOST_TOP = 10, 100


class Sweep(BaseModel):
    """What a job asks that sweeps over soups.

    Attributes:
        question: Which soups, on which images, under which noise; it determines every count.
        threats: Against which soups are ranked, such as ``l2:0.5@0.25``; by default the images themselves.
        top_k: How many soups the report lists as the best.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: SoupSweep
    threats: tuple[str, ...] = ()
    top_k: int = Field(default=TOP_K, ge=1, le=MOST_TOP)

    @property
    def num_runs(self) -> int:
        """Return how many runs the job makes."""
        return len(self.question.members) * len(self.question.sigmas)
