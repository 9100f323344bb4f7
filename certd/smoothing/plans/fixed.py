"""The fixed plan: choose the class on n0 draws, bound it on n fresh ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from certd.errors import CannotCertify
from certd.smoothing.draws import Draws, Phase, Tally
from certd.smoothing.guarantee import Bound
from certd.smoothing.plans.fields import (
    DEFAULT_ALPHA,
    DEFAULT_N,
    DEFAULT_N0,
    DrawCount,
    FailureProbability,
    too_few_draws,
)
from certd.smoothing.plans.plan import Conclusion
from certd.smoothing.votes import SCALE, SoftSums
from certd.statistics.means import empirical_bernstein_lower, hoeffding_lower
from certd.statistics.no_split import no_split_lower
from certd.statistics.top_k import top_k_bounds, top_k_radius
from certd.statistics.two_sided import TOP_SHARE, two_sided_bounds, two_sided_radius

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from certd.smoothing.draws import Record
    from certd.smoothing.guarantee import Guarantee
    from certd.smoothing.votes import VoteKind


class FixedPlan(BaseModel):
    """Spend ``n0`` draws on choosing the class and ``n`` fresh draws on bounding its probability.

    The certificate is false with probability at most ``alpha``: the class is fixed before the ``n`` draws are
    looked at, so their count is binomial and the Clopper-Pearson bound holds at full alpha.

    Attributes:
        n0: Selection draws; none without ``split``.
        n: Estimation draws.
        alpha: Failure probability.
        bound: ``two-sided`` also bounds the strongest rival from above, at .9 and .1 of alpha.
        split: Without it all ``n`` draws choose the class and bound it, at half of alpha.
        votes: ``soft`` certifies the mean softmax in place of the vote share: the smoothed classifier that
            returns the class of the largest mean softmax.
        mean_bound: How soft votes are bounded: ``thinned`` draws one class a copy with the softmax's
            probabilities and counts those; ``hoeffding`` and ``bernstein`` bound the mean of the scores.
        top_k: The certificate says that the class stays among the ``top_k`` most probable ones.

    References:
        Cohen, Rosenfeld and Kolter (2019), arXiv:1902.02918, algorithm CERTIFY; Jia et al. (2020),
        arXiv:1912.09899, for ``top_k``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["fixed"] = "fixed"
    n0: DrawCount | None = None
    n: DrawCount = DEFAULT_N
    alpha: FailureProbability = DEFAULT_ALPHA
    bound: Literal["one-sided", "two-sided"] = "one-sided"
    split: bool = True
    votes: Literal["hard", "soft"] = "hard"
    mean_bound: Literal["thinned", "hoeffding", "bernstein"] | None = None
    top_k: int = Field(default=1, ge=1, le=1000)

    @model_validator(mode="after")
    def _options_agree(self) -> Self:
        if not self.split and (self.n0 is not None or self.bound == "two-sided" or self.top_k > 1):
            raise ValueError("without split there are no selection draws: leave n0, bound and top_k out")
        if self.top_k > 1 and self.bound == "two-sided":
            raise ValueError("top_k bounds every rival already: leave bound out")
        if self.votes == "hard" and self.mean_bound is not None:
            raise ValueError("mean_bound is for soft votes: set votes to soft, or leave it out")
        if self.vote_kind == "summed" and (self.top_k > 1 or self.bound == "two-sided" or not self.split):
            raise ValueError("a bound on a mean is one-sided with split: use mean_bound = thinned")
        return self

    @property
    def vote_kind(self) -> VoteKind:
        """Return what one noisy copy contributes."""
        if self.votes == "hard":
            return "hard"
        return "thinned" if self.mean_bound in {None, "thinned"} else "summed"

    @property
    def selection_draws(self) -> int:
        """Return n0 with its default, 0 without ``split``."""
        return (DEFAULT_N0 if self.n0 is None else self.n0) if self.split else 0

    @property
    def max_draws(self) -> int:
        """Return the draws of one image, all phases together."""
        return self.selection_draws + self.n

    def check(self, guarantee: Guarantee, num_classes: int) -> None:
        """Refuse an ``n`` whose best outcome, ``n`` hits of ``n``, would still abstain."""
        if self.top_k >= num_classes:
            raise CannotCertify(
                f"Any class is among the top {self.top_k} of {num_classes}; use a smaller top_k.",
                pointer="/top_k",
            )
        if self.max_radius(guarantee) <= 0:
            raise too_few_draws(self.n, self.alpha, self._lower_share)

    def max_radius(self, guarantee: Guarantee) -> float:
        """Return the radius of ``n`` hits of ``n``."""
        sure = np.array([self.n] + [0] * self.top_k)
        soft = SoftSums(sure * SCALE, sure * SCALE) if self.vote_kind == "summed" else None
        return self._bound(Tally(self.n, sure, soft=soft), 0, guarantee).radius

    def next_draws(self, record: Record, guarantee: Guarantee) -> Draws | None:  # noqa: ARG002
        """Ask for the selection draws, then for the estimation draws, then for nothing."""
        for phase, wanted in ((Phase.SELECTION, self.selection_draws), (Phase.ESTIMATION, self.n)):
            if record.drawn(phase) < wanted:
                return Draws(phase, record.drawn(phase), wanted)
        return None

    def tested_class(self, record: Record) -> int | None:  # noqa: ARG002
        """Return None: the estimation draws are looked at once."""
        return None

    def conclude(self, record: Record, guarantee: Guarantee) -> Conclusion:
        """Bound the class that won the selection draws; ties go to the smaller class index."""
        tally = record.tallies[Phase.ESTIMATION]
        chosen_on = record.tallies[Phase.SELECTION] if self.split else tally
        top_class = int(np.argmax(chosen_on.counts))
        bound = self._bound(tally, top_class, guarantee)
        return Conclusion(
            prediction=top_class if bound.radius > 0 else None,
            top_class=top_class,
            top_count=int(tally.counts[top_class]),
            draws=tally.draws,
            p_a_lower=bound.p_a_lower,
            radius=bound.radius,
        )

    @property
    def _lower_share(self) -> float:
        if not self.split:
            return 0.5
        return TOP_SHARE if self.bound == "two-sided" or self.top_k > 1 else 1.0

    def _bound(self, tally: Tally, top_class: int, guarantee: Guarantee) -> Bound:
        """Return what the votes prove about ``top_class`` under the option that was chosen."""
        counts = tally.counts
        if tally.soft is not None:
            return guarantee.bound_from(self._mean_lower(tally.soft, tally.draws, top_class))
        if not self.split:
            return guarantee.bound_from(no_split_lower(counts, self.alpha))
        if self.top_k > 1:
            return _top_k_bound(counts, top_class, self.top_k, self.alpha, guarantee)
        if self.bound == "two-sided":
            return _two_sided_bound(counts, top_class, self.alpha, guarantee)
        return guarantee.bound(int(counts[top_class]), int(counts.sum()), self.alpha)

    def _mean_lower(self, soft: SoftSums, draws: int, top_class: int) -> float:
        """Bound the mean softmax of ``top_class`` from below; scores were cut down, never up."""
        total = int(soft.scores[top_class]) / SCALE
        if self.mean_bound == "hoeffding":
            return hoeffding_lower(total, draws, self.alpha)
        squares = int(soft.squares[top_class]) / SCALE
        return empirical_bernstein_lower(total, squares, draws, self.alpha)


def _two_sided_bound(counts: NDArray[np.int64], top_class: int, alpha: float, guarantee: Guarantee) -> Bound:
    sigma = guarantee.require_gaussian_l2("bound = two-sided")
    rival_count = int(np.delete(counts, top_class).max())
    lower, upper = two_sided_bounds(int(counts[top_class]), rival_count, int(counts.sum()), alpha)
    lower, upper = guarantee.widen(lower, upper)
    return Bound(lower, two_sided_radius(lower, upper, sigma))


def _top_k_bound(counts: NDArray[np.int64], label: int, k: int, alpha: float, guarantee: Guarantee) -> Bound:
    sigma = guarantee.require_gaussian_l2("top_k")
    lower, uppers = top_k_bounds(counts, label, k, alpha)
    widened = [guarantee.widen(lower, upper) for upper in uppers]
    return Bound(widened[0][0], top_k_radius(widened[0][0], [upper for _, upper in widened], sigma))
