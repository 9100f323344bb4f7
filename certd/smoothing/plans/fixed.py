"""The plan of Cohen, Rosenfeld and Kolter (2019): choose the class on n0 draws, bound it on n fresh ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from certd.errors import CannotCertify
from certd.smoothing.draws import MAX_DRAWS_PER_PHASE, Draws, Phase, Record
from certd.smoothing.plans.plan import Conclusion

if TYPE_CHECKING:
    from certd.smoothing.guarantee import Guarantee

DrawCount = Annotated[int, Field(ge=1, le=MAX_DRAWS_PER_PHASE)]
FailureProbability = Annotated[float, Field(gt=0, lt=1)]


class FixedPlan(BaseModel):
    """Spend ``n0`` draws on choosing the class and ``n`` fresh draws on bounding its probability.

    The certificate is false with probability at most ``alpha``: the class is fixed before the ``n`` draws are
    looked at, so their count is binomial and the Clopper-Pearson bound holds at full alpha.

    References:
        Cohen, Rosenfeld and Kolter (2019), arXiv:1902.02918, algorithm CERTIFY.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["fixed"] = "fixed"
    n0: DrawCount = 100
    n: DrawCount = 100_000
    alpha: FailureProbability = 0.001

    @property
    def max_draws(self) -> int:
        """Return ``n0 + n``."""
        return self.n0 + self.n

    def check(self, guarantee: Guarantee) -> None:
        """Refuse an ``n`` whose best outcome, ``n`` hits of ``n``, would still abstain."""
        if guarantee.bound(self.n, self.n, self.alpha).radius > 0:
            return
        least = math.floor(math.log(self.alpha) / math.log(0.5)) + 1
        best = self.alpha ** (1 / self.n)
        raise CannotCertify(
            f"n = {self.n} draws at alpha = {self.alpha:g} cannot certify any image: even {self.n} hits "
            f"of {self.n} bound pA from below by alpha**(1/n) = {best:.6f}, which is not above 1/2. "
            f"Use n of at least {least}, or a larger alpha.",
            pointer="/n",
            least_n=least,
            best_p_a_lower=best,
            largest_radius=0.0,
        )

    def max_radius(self, guarantee: Guarantee) -> float:
        """Return the radius of ``n`` hits of ``n``."""
        return guarantee.bound(self.n, self.n, self.alpha).radius

    def next_draws(self, record: Record, guarantee: Guarantee) -> Draws | None:  # noqa: ARG002
        """Ask for the selection draws, then for the estimation draws, then for nothing."""
        for phase, wanted in ((Phase.SELECTION, self.n0), (Phase.ESTIMATION, self.n)):
            if record.drawn(phase) < wanted:
                return Draws(phase, record.drawn(phase), wanted)
        return None

    def tested_class(self, record: Record) -> int | None:  # noqa: ARG002
        """Return None: the estimation draws are looked at once."""
        return None

    def conclude(self, record: Record, guarantee: Guarantee) -> Conclusion:
        """Bound the class that won the selection draws; ties go to the smaller class index."""
        top_class = int(np.argmax(record.tallies[Phase.SELECTION].counts))
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
