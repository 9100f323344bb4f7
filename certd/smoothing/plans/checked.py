"""A plan whose votes are cast in a cheaper arithmetic than the one that is certified."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from math import nextafter
from typing import TYPE_CHECKING

import numpy as np

from certd.errors import CannotCertify, InvalidParameter
from certd.smoothing.draws import MAX_DRAWS_PER_PHASE, Draws, Phase
from certd.statistics import clopper_pearson_upper

if TYPE_CHECKING:
    from certd.smoothing.draws import Record
    from certd.smoothing.guarantee import Guarantee
    from certd.smoothing.plans import AnyPlan
    from certd.smoothing.plans.plan import Conclusion
    from certd.smoothing.votes import VoteKind

CHECK_SHARE = 0.1
DEFAULT_CHECK_DRAWS = 2000
AGREED, DIFFERED = 0, 1
UNCHECKED = frozenset({"exhaustive", "predict"})


@dataclass(frozen=True, slots=True)
class CheckedPlan:
    """Certify one execution of a classifier from the votes of another.

    First both classify the same ``check_draws`` noisy copies; the Clopper-Pearson bound z on the share where
    they differ is false with probability at most a tenth of alpha. No class has probabilities further apart
    than z under the two executions. So the inner plan, at nine tenths of alpha, asks of the votes z more than
    the theorem does: given z, which its fresh draws do not touch, it errs with probability at most that.
    **Together alpha.** z costs radius: an image on whose copies the two never differ has
    z = 1 - (alpha / 10) ** (1 / check_draws).

    Attributes:
        plan: What the voters are put through.
        check_draws: Copies that both classify, of a phase of their own.

    References:
        Ugare et al. (2024), Incremental Randomized Smoothing Certification, arXiv:2305.19521, theorem 2.
    """

    plan: AnyPlan
    check_draws: int

    def __post_init__(self) -> None:
        if self.plan.kind in UNCHECKED or self.plan.vote_kind != "hard":
            raise InvalidParameter(
                f"dtype = checked bounds how often hard votes differ; plan {self.plan.kind} with "
                f"{self.plan.vote_kind} votes cannot use it. Ask for dtype float32.",
                pointer="/dtype",
            )

    @property
    def kind(self) -> str:
        """Return the inner plan's name."""
        return self.plan.kind

    @property
    def alpha(self) -> float:
        """Return the failure probability of one image's certificate, the check's included."""
        return self.plan.alpha

    @property
    def max_draws(self) -> int:
        """Return the most draws one image can cost; those of the check are classified twice."""
        return self.check_draws + self.plan.max_draws

    @property
    def vote_kind(self) -> VoteKind:
        """Return what one noisy copy contributes."""
        return self.plan.vote_kind

    def check(self, guarantee: Guarantee, num_classes: int) -> None:
        """Refuse settings that cannot certify even an image on whose copies the two never differ."""
        try:
            self._inner.check(self._widened(0, guarantee), num_classes)
        except CannotCertify as refusal:
            if refusal.pointer != "/n" or self.max_radius(guarantee) > 0:
                raise
            # What votes of one's own would certify is lost to the check.
            self._inner.check(guarantee, num_classes)
            raise self._too_few_check_draws(guarantee) from None

    def max_radius(self, guarantee: Guarantee) -> float:
        """Return the radius of unanimous votes that were never contradicted."""
        return self._inner.max_radius(self._widened(0, guarantee))

    def next_draws(self, record: Record, guarantee: Guarantee) -> Draws | None:
        """Ask for the check, then for what the inner plan asks."""
        if not self._checked(record):
            return Draws(Phase.CHECK, record.drawn(Phase.CHECK), self.check_draws)
        return self._inner.next_draws(record, self._of(record, guarantee))

    def tested_class(self, record: Record) -> int | None:
        """Return the inner plan's class; none during the check, which looks at no class."""
        return self._inner.tested_class(record) if self._checked(record) else None

    def conclude(self, record: Record, guarantee: Guarantee) -> Conclusion:
        """Return what votes and check prove about the execution that did not vote."""
        return self._inner.conclude(record, self._of(record, guarantee))

    def _too_few_check_draws(self, guarantee: Guarantee) -> CannotCertify:
        """Return the refusal of a check that takes more off a bound than unanimous votes have above 1/2.

        The number it names is the least for the one-sided bound; looking early or a rival may ask for more.
        """
        inner = self._inner

        def suffices(check_draws: int) -> bool:
            widened = _with_slack(guarantee, 0, check_draws, self.plan.alpha)
            return widened.bound(inner.n, inner.n, inner.alpha).radius > 0

        enough = bisect_left(range(MAX_DRAWS_PER_PHASE), True, key=suffices, lo=1)
        least = max(enough, self.check_draws + 1)
        return CannotCertify(
            f"check_draws = {self.check_draws} cannot certify any image: where the two executions never "
            f"differ on them, they may differ on {self._widened(0, guarantee).slack:.4f} of all copies, and "
            f"that is taken off a bound that is to stay above 1/2. Use check_draws of at least {least}.",
            pointer="/check_draws",
            least_check_draws=least,
            largest_radius=0.0,
        )

    @property
    def _inner(self) -> AnyPlan:
        return self.plan.model_copy(update={"alpha": self.plan.alpha * (1 - CHECK_SHARE)})

    def _checked(self, record: Record) -> bool:
        return record.drawn(Phase.CHECK) >= self.check_draws

    def _of(self, record: Record, guarantee: Guarantee) -> Guarantee:
        return self._widened(int(record.tallies[Phase.CHECK].counts[DIFFERED]), guarantee)

    def _widened(self, differed: int, guarantee: Guarantee) -> Guarantee:
        """Return the guarantee for votes that ``differed`` so often.

        Rounded up to a power of two: a bound for more differences holds all the more, and thresholds are
        computed for a few numbers instead of for each.
        """
        rounded = min(1 << (differed - 1).bit_length(), self.check_draws) if differed else 0
        return _with_slack(guarantee, rounded, self.check_draws, self.plan.alpha)


def _with_slack(guarantee: Guarantee, differed: int, check_draws: int, alpha: float) -> Guarantee:
    # The last digits keep both shares of alpha together below it.
    share = alpha * CHECK_SHARE * (1 - 1e-9)
    disagreement = float(clopper_pearson_upper(differed, check_draws, share))
    return replace(guarantee, slack=nextafter(guarantee.slack + disagreement, np.inf))
