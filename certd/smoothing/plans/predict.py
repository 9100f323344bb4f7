"""The predict plan: the smoothed classifier's class, or nothing; no radius."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from certd.errors import CannotCertify
from certd.smoothing.draws import Draws, Phase
from certd.smoothing.plans.fields import DEFAULT_ALPHA, DrawCount, FailureProbability
from certd.smoothing.plans.plan import Conclusion
from certd.statistics.binomial_test import predict

if TYPE_CHECKING:
    from certd.smoothing.draws import Record
    from certd.smoothing.guarantee import Guarantee
    from certd.smoothing.votes import VoteKind

DEFAULT_PREDICTION_DRAWS = 1000


class PredictPlan(BaseModel):
    """Return the smoothed classifier's class if a test of the two largest counts is sure of it, else abstain.

    The class is not that of the smoothed classifier with probability at most alpha. Nothing is certified
    about the neighbourhood of the image: the radius is 0.

    References:
        Cohen, Rosenfeld and Kolter (2019), arXiv:1902.02918, algorithm PREDICT.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["predict"] = "predict"
    n: DrawCount = DEFAULT_PREDICTION_DRAWS
    alpha: FailureProbability = DEFAULT_ALPHA

    @property
    def vote_kind(self) -> VoteKind:
        """Return ``hard``: one vote for the class of the largest logit."""
        return "hard"

    @property
    def max_draws(self) -> int:
        """Return ``n``."""
        return self.n

    def check(self, guarantee: Guarantee, num_classes: int) -> None:  # noqa: ARG002
        """Refuse an ``n`` with which even unanimous draws abstain."""
        if predict(np.array([self.n, 0]), self.alpha) is None:
            raise CannotCertify(
                f"With n = {self.n} draws at alpha = {self.alpha:g} every prediction abstains; raise n.",
                pointer="/n",
            )

    def max_radius(self, guarantee: Guarantee) -> float:  # noqa: ARG002
        """Return 0: a prediction has no radius."""
        return 0.0

    def next_draws(self, record: Record, guarantee: Guarantee) -> Draws | None:  # noqa: ARG002
        """Ask for ``n`` draws, once."""
        done = record.drawn(Phase.ESTIMATION)
        return Draws(Phase.ESTIMATION, done, self.n) if done < self.n else None

    def tested_class(self, record: Record) -> int | None:  # noqa: ARG002
        """Return None: the draws are looked at once."""
        return None

    def conclude(self, record: Record, guarantee: Guarantee) -> Conclusion:  # noqa: ARG002
        """Test the two largest counts."""
        tally = record.tallies[Phase.ESTIMATION]
        top_class = int(np.argmax(tally.counts))
        return Conclusion(
            prediction=predict(tally.counts, self.alpha),
            top_class=top_class,
            top_count=int(tally.counts[top_class]),
            draws=tally.draws,
            p_a_lower=0.0,
            radius=0.0,
        )
