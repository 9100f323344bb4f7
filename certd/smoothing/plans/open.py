"""The open plan: no declared end; the bound holds at every moment, so a job may be continued later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from certd.errors import CannotCertify
from certd.smoothing.draws import Draws, Phase
from certd.smoothing.plans.fields import DEFAULT_ALPHA, DEFAULT_N, DEFAULT_N0, DrawCount, Radius
from certd.smoothing.plans.plan import Conclusion
from certd.statistics import floor_to
from certd.statistics.martingale import anytime_lower
from certd.statistics.sequential import stage_schedule

if TYPE_CHECKING:
    from certd.smoothing.draws import Record
    from certd.smoothing.guarantee import Bound, Guarantee
    from certd.smoothing.votes import VoteKind

OpenAlpha = Annotated[float, Field(gt=0, le=0.36)]


class OpenPlan(BaseModel):
    """Bet against every smaller pA, and report at any time the largest that the capital refutes.

    The capital passes 1/alpha with probability at most alpha over an endless sequence of draws, so one may
    stop, look, or go on for any reason whatever. This is the only plan whose ``n`` may be raised afterwards.

    Attributes:
        n0: Selection draws for an image without a label.
        n: Draws to stop at for now.
        alpha: Failure probability, at most .36.
        radius: Stop as soon as this radius is certified, in input units; None to go on to ``n``.

    References:
        certd.statistics.martingale, which holds the proof.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["open"] = "open"
    n0: DrawCount = DEFAULT_N0
    n: DrawCount = DEFAULT_N
    alpha: OpenAlpha = DEFAULT_ALPHA
    radius: Radius | None = None

    @property
    def vote_kind(self) -> VoteKind:
        """Return ``hard``: one vote for the class of the largest logit."""
        return "hard"

    @property
    def max_draws(self) -> int:
        """Return the most draws of one image so far, as if it had no label."""
        return self.n0 + self.n

    def check(self, guarantee: Guarantee, num_classes: int) -> None:  # noqa: ARG002
        """Refuse an ``n`` that certifies nothing yet, and a target beyond what it can reach."""
        largest = self.max_radius(guarantee)
        if largest <= (self.radius or 0.0):
            raise CannotCertify(
                f"n = {self.n} draws at alpha = {self.alpha:g} certify at most "
                f"{floor_to(largest, 4):.4f} under the open plan; asked for "
                f"{self.radius or 0.0:g}. Raise n, or sigma, or ask for less.",
                pointer="/n",
                largest_radius=largest,
            )

    def max_radius(self, guarantee: Guarantee) -> float:
        """Return the radius of ``n`` hits of ``n``."""
        return self._bound(self.n, self.n, guarantee).radius

    def next_draws(self, record: Record, guarantee: Guarantee) -> Draws | None:
        """Ask for the selection draws where there is no label, then for stage after stage up to ``n``."""
        if record.label is None and record.drawn(Phase.SELECTION) < self.n0:
            return Draws(Phase.SELECTION, record.drawn(Phase.SELECTION), self.n0)
        done = record.drawn(Phase.ESTIMATION)
        if done >= self.n or (done and self._reached(record, guarantee)):
            return None
        return Draws(Phase.ESTIMATION, done, next(stage for stage in stage_schedule(self.n) if stage > done))

    def tested_class(self, record: Record) -> int | None:  # noqa: ARG002
        """Return None: the bound rests on the present count alone and needs no trail."""
        return None

    def conclude(self, record: Record, guarantee: Guarantee) -> Conclusion:
        """Report what the capital refutes at the present count."""
        top_class = self._class(record)
        tally = record.tallies[Phase.ESTIMATION]
        top_count = int(tally.counts[top_class])
        bound = self._bound(top_count, tally.draws, guarantee)
        return Conclusion(
            prediction=top_class if bound.radius > 0 else None,
            top_class=top_class,
            top_count=top_count,
            draws=tally.draws,
            p_a_lower=bound.p_a_lower,
            radius=bound.radius,
        )

    def _class(self, record: Record) -> int:
        if record.label is not None:
            return record.label
        return int(np.argmax(record.tallies[Phase.SELECTION].counts))

    def _reached(self, record: Record, guarantee: Guarantee) -> bool:
        return self.radius is not None and self.conclude(record, guarantee).radius >= max(self.radius, 1e-300)

    def _bound(self, hits: int, draws: int, guarantee: Guarantee) -> Bound:
        return guarantee.bound_from(anytime_lower([(hits, draws)], self.alpha))
