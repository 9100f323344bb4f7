"""A plan whose counts of a smoothed classifier conclude about its mixture with an unprotected one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import inf, nextafter, sqrt
from typing import TYPE_CHECKING

import numpy as np

from certd.errors import CannotCertify, InvalidParameter
from certd.smoothing.draws import Phase
from certd.smoothing.plans.fixed import FixedPlan
from certd.smoothing.plans.plan import Conclusion
from certd.smoothing.plans.predict import PredictPlan
from certd.statistics.mixture_bounds import (
    HeldProbabilities,
    answer_is_settled,
    bounds_without_choice,
    class_bounds,
    probabilities,
)
from certd.statistics.mixtures import mixture_radius, published_lipschitz_radius, published_smoothing_radius

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from certd.models.mixing import Mixing
    from certd.smoothing.draws import Draws, Record
    from certd.smoothing.guarantee import Guarantee
    from certd.smoothing.plans import AnyPlan
    from certd.smoothing.votes import VoteKind
    from certd.statistics.mixture_bounds import BoundKind

SAFETY = 1e-9  # relative, on a radius: above what dividing by a root may round


@dataclass(frozen=True, slots=True)
class MixturePlan:
    """Sample the robust classifier h as a plan does, and conclude about smooth-then-mix.

    The class y is chosen by the selection draws and by what g says of the clean image, neither of which the
    bounds count. The estimation draws bound h_y from below and the others from above, **all of it true with
    probability at least 1 - alpha**. Two things follow, and both from that one event: the mixture answers y
    at the image, where the bounds leave it no other answer; and it goes on answering y within the radius, by
    the margin lemma, whatever g says there. So both are true together with probability at least
    1 - alpha. A radius of 0 beside a prediction says that g has decided: nothing is proved around the image.

    Where a network chooses the weight, the answer at the image is judged with the weight chosen there, the
    radius with the least one.

    Under the plan ``predict`` all draws choose the class and bound it, so every class is bounded from both
    sides, and there is no radius.

    Attributes:
        plan: What h is put through.
        mixing: How the two are mixed.
        bounds: Which classes are bounded; decided before the draws.

    References:
        Bai, Anderson, Kim and Sojoudi (2023), arXiv:2301.12554; see :mod:`certd.statistics.mixtures`.
    """

    plan: AnyPlan
    mixing: Mixing
    bounds: BoundKind

    def __post_init__(self) -> None:
        plan = self.plan
        if not isinstance(plan, FixedPlan | PredictPlan):
            raise InvalidParameter(
                f"Plan {plan.kind} bounds one class alone, and stops when its radius is decided; a mixture "
                "needs margins. Ask for plan fixed, or predict.",
                pointer="/plan",
            )
        if plan.vote_kind == "summed":
            raise InvalidParameter(
                "A mixture is certified from votes; set mean_bound to thinned.", pointer="/mean_bound"
            )
        if isinstance(plan, FixedPlan) and (not plan.split or plan.top_k > 1 or plan.bound == "two-sided"):
            raise InvalidParameter(
                "A mixture bounds its classes as mixture_bounds says; leave bound, split and top_k out.",
                pointer="/plan",
            )

    @property
    def kind(self) -> str:
        """Return the inner plan's name."""
        return self.plan.kind

    @property
    def alpha(self) -> float:
        """Return the failure probability of one image's certificate."""
        return self.plan.alpha

    @property
    def max_draws(self) -> int:
        """Return the most draws one image can cost, of h; g runs once an image."""
        return self.plan.max_draws

    @property
    def vote_kind(self) -> VoteKind:
        """Return what one noisy copy contributes."""
        return self.plan.vote_kind

    def check(self, guarantee: Guarantee, num_classes: int) -> None:
        """Refuse noise the theorem is not about, and an ``n`` of which unanimous votes prove nothing."""
        if guarantee.law.name != "gaussian":
            raise InvalidParameter(
                f"smooth-then-mix is proved for gaussian noise; this is {guarantee.law.name}.",
                pointer="/noise",
            )
        self.plan.check(guarantee, num_classes)
        if num_classes != self.mixing.num_classes:
            raise InvalidParameter(f"The mixture has {self.mixing.num_classes} classes, not {num_classes}.")
        if isinstance(self.plan, FixedPlan) and self.max_radius(guarantee) <= 0:
            raise CannotCertify(
                f"n = {self.plan.n} draws at alpha = {self.alpha:g} cannot certify any image at weight "
                f"{self.mixing.weight:g}: even unanimous votes leave no margin of "
                f"{(1 - self.mixing.weight) / self.mixing.weight:.4f}. Raise n, the weight or alpha.",
                pointer="/n",
                largest_radius=0.0,
            )

    def max_radius(self, guarantee: Guarantee) -> float:
        """Return the radius of unanimous votes; 0 under the plan predict."""
        if not isinstance(self.plan, FixedPlan):
            return 0.0
        votes = np.zeros(self.mixing.num_classes, np.int64)
        votes[0] = self.plan.n
        lower, uppers = self._bounds(votes, 0, guarantee)
        return self._radii(HeldProbabilities(lower, float(uppers[1:].max())), guarantee)[0]

    def next_draws(self, record: Record, guarantee: Guarantee) -> Draws | None:
        """Ask for what the inner plan asks, of h."""
        return self.plan.next_draws(record, guarantee)

    def tested_class(self, record: Record) -> int | None:
        """Return None: the draws are looked at once."""
        return self.plan.tested_class(record)

    def conclude(self, record: Record, guarantee: Guarantee) -> Conclusion:
        """Return what the votes of h prove about the mixture.

        Raises:
            InvalidParameter: If what g said of the image was not recorded.
        """
        weight, standard = self._observed(record)
        tally = record.tallies[Phase.ESTIMATION]
        choosing = record.tallies[Phase.SELECTION] if isinstance(self.plan, FixedPlan) else tally
        mixed = (1 - weight) * standard + weight * choosing.counts / choosing.draws
        top_class = int(np.argmax(mixed))
        lower, uppers = self._bounds(tally.counts, top_class, guarantee)
        held = HeldProbabilities(lower, float(np.delete(uppers, top_class).max()))
        tight, *published = self._radii(held, guarantee)
        settled = tight > 0 or answer_is_settled(top_class, standard, lower, uppers, weight)
        return Conclusion(
            prediction=top_class if settled else None,
            top_class=top_class,
            top_count=int(tally.counts[top_class]),
            draws=tally.draws,
            p_a_lower=lower,
            radius=tight,
            published_radii=(published[0], published[1]),
        )

    def _observed(self, record: Record) -> tuple[float, NDArray[np.float64]]:
        """Return the weight at the image and the probabilities of g there."""
        found = record.standard
        if found is None or (self.mixing.adaptive and found.weight is None):
            raise InvalidParameter(
                f"Image {record.image_id} lacks what the standard classifier says of it; mix the run with "
                "certd mix, or certify the mixture."
            )
        weight = self.mixing.weight if found.weight is None else found.weight
        return weight, probabilities(found.logits, self.mixing.standard_scale)

    def _bounds(
        self, counts: NDArray[np.int64], top_class: int, guarantee: Guarantee
    ) -> tuple[float, NDArray[np.float64]]:
        """Return bounds on h under the theorem's law from the votes under the sampled one."""
        kind = self.bounds if isinstance(self.plan, FixedPlan) else None
        lower, uppers = _bounds(tuple(counts.tolist()), top_class, self.alpha, kind)
        widened = [guarantee.widen(lower, upper) for upper in uppers]
        return widened[0][0], np.array([upper for _, upper in widened])

    def _radii(self, held: HeldProbabilities, guarantee: Guarantee) -> tuple[float, float, float]:
        """Return the tight radius and the paper's two, in the norm asked for."""
        if not isinstance(self.plan, FixedPlan):
            return 0.0, 0.0, 0.0
        sigma, weight = guarantee.law.sigma, self.mixing.weight
        shrink = in_norm(guarantee)
        tight = shrink(mixture_radius(held, weight, sigma))
        smoothing = shrink(published_smoothing_radius(held, weight, sigma))
        return (
            tight,
            min(smoothing, tight),
            min(shrink(published_lipschitz_radius(held, weight, sigma)), tight),
        )


@lru_cache(maxsize=1 << 15)
def _bounds(
    counts: tuple[int, ...], top_class: int, alpha: float, kind: BoundKind | None
) -> tuple[float, tuple[float, ...]]:
    """Bound the classes; a sweep over weights asks for the same bounds at each of them."""
    if kind is None:
        lower, uppers = bounds_without_choice(counts, top_class, alpha)
    else:
        lower, uppers = class_bounds(counts, top_class, alpha, kind)
    return lower, tuple(uppers.tolist())


def l2_per(guarantee: Guarantee) -> float:
    """Return the l2 radius that contains a ball of radius one in the guarantee's norm, never rounded down.

    An l1 ball lies in the l2 ball of its radius, an linf ball in the l2 ball sqrt(d) times as wide.
    """
    return nextafter(sqrt(guarantee.dimension), inf) if guarantee.norm == "linf" else 1.0


def in_norm(guarantee: Guarantee) -> Callable[[float], float]:
    """Return what turns an l2 radius into one of the guarantee's norm, never rounded up."""
    divisor = l2_per(guarantee)
    return lambda radius: radius / divisor * (1 - SAFETY) if divisor > 1 else radius
