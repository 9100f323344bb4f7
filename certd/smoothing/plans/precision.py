"""The precision plan: a pilot chooses how many fresh draws bring the radius within a tolerance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from certd.smoothing.draws import Draws, Phase
from certd.smoothing.plans.fields import (
    DEFAULT_ALPHA,
    DEFAULT_N,
    DrawCount,
    FailureProbability,
    too_few_draws,
)
from certd.smoothing.plans.plan import Conclusion
from certd.statistics.pilot import draws_for_precision

if TYPE_CHECKING:
    from certd.smoothing.draws import Record
    from certd.smoothing.guarantee import Guarantee
    from certd.smoothing.votes import VoteKind

DEFAULT_PILOT = 1000
DEFAULT_TOLERANCE = 0.05


class PrecisionPlan(BaseModel):
    """Draw a ``pilot``, choose class and budget on it, discard it, and bound the class on fresh draws.

    The bound holds at full alpha because class and number of draws were fixed before the first counted draw.
    An image whose every draw agrees costs the whole ``n`` whatever one does: its radius is capped by n alone.

    Attributes:
        pilot: Draws that choose class and budget; never counted in the bound.
        n: Most estimation draws.
        alpha: Failure probability.
        tolerance: Radius that may be lost against the whole ``n``, in units of sigma.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["precision"] = "precision"
    pilot: DrawCount = DEFAULT_PILOT
    n: DrawCount = DEFAULT_N
    alpha: FailureProbability = DEFAULT_ALPHA
    tolerance: float = Field(default=DEFAULT_TOLERANCE, gt=0, allow_inf_nan=False)

    @property
    def vote_kind(self) -> VoteKind:
        """Return ``hard``: one vote for the class of the largest logit."""
        return "hard"

    @property
    def max_draws(self) -> int:
        """Return the most draws of one image, the pilot included."""
        return self.pilot + self.n

    def check(self, guarantee: Guarantee, num_classes: int) -> None:  # noqa: ARG002
        """Refuse an ``n`` whose best outcome would still abstain."""
        if self.max_radius(guarantee) <= 0:
            raise too_few_draws(self.n, self.alpha)

    def max_radius(self, guarantee: Guarantee) -> float:
        """Return the radius of ``n`` hits of ``n``."""
        return guarantee.bound(self.n, self.n, self.alpha).radius

    def next_draws(self, record: Record, guarantee: Guarantee) -> Draws | None:  # noqa: ARG002
        """Ask for the pilot, then for as many fresh draws as it calls for, then for nothing."""
        if record.drawn(Phase.PILOT) < self.pilot:
            return Draws(Phase.PILOT, record.drawn(Phase.PILOT), self.pilot)
        wanted = self._budget(record)
        done = record.drawn(Phase.ESTIMATION)
        return Draws(Phase.ESTIMATION, done, wanted) if done < wanted else None

    def tested_class(self, record: Record) -> int | None:  # noqa: ARG002
        """Return None: the estimation draws are looked at once."""
        return None

    def conclude(self, record: Record, guarantee: Guarantee) -> Conclusion:
        """Bound the pilot's class on the fresh draws."""
        top_class = int(np.argmax(record.tallies[Phase.PILOT].counts))
        tally = record.tallies[Phase.ESTIMATION]
        top_count = int(tally.counts[top_class])
        bound = guarantee.bound(top_count, tally.draws, self.alpha)
        return Conclusion(
            prediction=top_class if bound.radius > 0 else None,
            top_class=top_class,
            top_count=top_count,
            draws=tally.draws,
            p_a_lower=bound.p_a_lower,
            radius=bound.radius,
        )

    def _budget(self, record: Record) -> int:
        """Return the estimation draws that the pilot's counts call for."""
        hits = int(record.tallies[Phase.PILOT].counts.max())
        return draws_for_precision(hits, self.pilot, self.n, self.alpha, self.tolerance)
