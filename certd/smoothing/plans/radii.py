"""The radii plan: decides a declared list of radii, looking early and stopping as soon as it is decided."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from certd.errors import CannotCertify
from certd.smoothing.draws import Draws, Phase
from certd.smoothing.plans.fields import (
    DEFAULT_ALPHA,
    DEFAULT_N,
    DEFAULT_N0,
    DrawCount,
    FailureProbability,
    Radius,
    too_few_draws,
)
from certd.smoothing.plans.plan import Conclusion
from certd.statistics import floor_to
from certd.statistics.sequential import group_sequential_design, is_reachable, stage_schedule
from certd.statistics.spending import Spending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certd.smoothing.draws import Record
    from certd.smoothing.guarantee import Guarantee
    from certd.smoothing.plans.plan import Plan
    from certd.smoothing.votes import VoteKind
    from certd.statistics.sequential import GroupSequentialDesign

STEP = 0.25
MAX_RADII = 400
MOST_WORK = 4 * 10**9
"""Of n times the radii: thresholds for so many cost a core a minute or so."""


class RadiiPlan(BaseModel):
    """Test the list of ``radii`` at a few declared looks, with exact integer thresholds.

    Every radius of the list is tested at the full alpha: the nulls are nested, so a false certificate means
    that one certain boundary was crossed, which has probability at most alpha. Only radii of the list are
    certified, and only they may be read off: a list of .2 and .3 certifies nothing at .25. With a label the
    label is tested and no selection draws are spent; a wrong image is given up as soon as it is futile, at no
    cost in alpha.

    Attributes:
        n0: Selection draws for an image without a label.
        n: Most estimation draws.
        alpha: Failure probability.
        radii: Rising radii in input units; by default 0, .25, .5, ... as far as ``n`` draws can certify.
        spending: How alpha and the risk of giving up are shared out over the looks.

    References:
        certd.statistics.sequential, which holds the proof.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["radii"] = "radii"
    n0: DrawCount = DEFAULT_N0
    n: DrawCount = DEFAULT_N
    alpha: FailureProbability = DEFAULT_ALPHA
    radii: tuple[Radius, ...] | None = None
    spending: Spending = "rising"

    @model_validator(mode="after")
    def _radii_rise(self) -> Self:
        if self.radii is not None:
            if not 1 <= len(self.radii) <= MAX_RADII:
                raise ValueError(f"radii takes 1 to {MAX_RADII} values")
            if any(after <= before for before, after in zip(self.radii, self.radii[1:], strict=False)):
                raise ValueError("radii must rise strictly")
        return self

    @property
    def vote_kind(self) -> VoteKind:
        """Return ``hard``: one vote for the class of the largest logit."""
        return "hard"

    @property
    def max_draws(self) -> int:
        """Return the most draws of one image, as if it had no label."""
        return self.n0 + self.n

    def check(self, guarantee: Guarantee, num_classes: int) -> None:  # noqa: ARG002
        """Refuse radii beyond the cap, and an ``n`` that certifies none."""
        cap = guarantee.bound(self.n, self.n, self.alpha).radius
        if cap <= 0:
            raise too_few_draws(self.n, self.alpha)
        beyond = [radius for radius in self.radii or () if not _reachable(self, guarantee, radius)]
        if beyond:
            raise CannotCertify(
                f"n = {self.n} draws at alpha = {self.alpha:g} cannot certify a radius of {beyond[0]:g}: the "
                f"largest within reach is about {floor_to(cap, 4):.4f}. Leave out radii from {beyond[0]:g} "
                "on, or raise n or sigma.",
                pointer="/radii",
                largest_radius=cap,
                unreachable=beyond,
            )
        if not self.grid(guarantee):
            raise too_few_draws(self.n, self.alpha)

    def grid(self, guarantee: Guarantee) -> tuple[float, ...]:
        """Return the radii that are tested, in input units; of the listed ones those within reach."""
        return _grid(self, guarantee)

    def hint(self, guarantee: Guarantee) -> str | None:
        """Say that the default list is radius 0 alone, as it often is in linf, and what to list instead."""
        if self.radii is not None or self.grid(guarantee) != (0.0,):
            return None
        cap = guarantee.bound(self.n, self.n, self.alpha).radius
        return (
            "the default list of radii is 0 alone, so nothing is proved around any image. List radii within "
            f"reach, such as --radii 0,{cap / 4:.1g},{cap / 2:.1g}"
        )

    def max_radius(self, guarantee: Guarantee) -> float:
        """Return the largest radius of the list."""
        return max(self.grid(guarantee), default=0.0)

    def next_draws(self, record: Record, guarantee: Guarantee) -> Draws | None:
        """Ask for the selection draws where there is no label, then stage by stage until all is decided."""
        if record.label is None and record.drawn(Phase.SELECTION) < self.n0:
            return Draws(Phase.SELECTION, record.drawn(Phase.SELECTION), self.n0)
        trail, stages = record.trail, stage_schedule(self.n)
        if self._finished(trail, guarantee):
            return None
        return Draws(Phase.ESTIMATION, record.drawn(Phase.ESTIMATION), stages[len(trail)])

    def _finished(self, trail: Sequence[int], guarantee: Guarantee) -> bool:
        """Return whether all is decided; where nothing is within reach, after the first look."""
        return _design(self, guarantee).finished(trail) if self.grid(guarantee) else bool(trail)

    def tested_class(self, record: Record) -> int | None:
        """Return the label, or the class that won the selection draws."""
        if record.label is not None:
            return record.label
        selection = record.tallies.get(Phase.SELECTION)
        return None if selection is None else int(np.argmax(selection.counts))

    def conclude(self, record: Record, guarantee: Guarantee) -> Conclusion:
        """Certify the largest radius whose boundary was crossed at some look."""
        top_class = self.tested_class(record)
        assert top_class is not None  # noqa: S101 - a finished record has a tested class
        grid = self.grid(guarantee)
        certified = _design(self, guarantee).certified(record.trail) if grid else 0
        radius = grid[certified - 1] if certified else 0.0
        tally = record.tallies[Phase.ESTIMATION]
        return Conclusion(
            prediction=top_class if certified else None,
            top_class=top_class,
            top_count=int(tally.counts[top_class]),
            draws=tally.draws,
            p_a_lower=guarantee.law.threshold_probability(radius, guarantee.norm, guarantee.dimension)
            if certified
            else 0.0,
            radius=radius,
        )


def require_light(plan: Plan, guarantee: Guarantee, check_draws: int | None = None) -> None:
    """Refuse a radii plan from outside whose thresholds would take a worker too long to compute.

    Args:
        plan: Any plan; the others are light.
        guarantee: Noise, norm and shape.
        check_draws: Where votes are checked: thresholds may be needed for each power of two of them.

    Raises:
        CannotCertify: With the arithmetic. The plan would certify, so one that began earlier goes on.
    """
    if not isinstance(plan, RadiiPlan):
        return
    designs = 1 if check_draws is None else 2 + (check_draws - 1).bit_length()
    radii = designs * len(plan.grid(guarantee))
    work = plan.n * radii
    if work > MOST_WORK:
        raise CannotCertify(
            f"n = {plan.n:,} draws at {radii} radii make {work:,} counts to weigh before "
            f"the first draw; a job may ask for {MOST_WORK:,}. Lower n, or list fewer radii.",
            pointer="/n",
            largest_n=MOST_WORK // radii,
        )


@lru_cache(maxsize=64)
def _design(plan: RadiiPlan, guarantee: Guarantee) -> GroupSequentialDesign:
    thresholds = tuple(guarantee.threshold(radius) for radius in plan.grid(guarantee))
    return group_sequential_design(thresholds, stage_schedule(plan.n), plan.alpha, plan.spending)


@lru_cache(maxsize=64)
def _grid(plan: RadiiPlan, guarantee: Guarantee) -> tuple[float, ...]:
    listed = plan.radii
    if listed is None:
        cap = guarantee.bound(plan.n, plan.n, plan.alpha).radius
        listed = tuple(STEP * i for i in range(min(MAX_RADII, int(cap / STEP) + 1)))
    return tuple(radius for radius in listed if _reachable(plan, guarantee, radius))


@lru_cache(maxsize=1024)
def _reachable(plan: RadiiPlan, guarantee: Guarantee, radius: float) -> bool:
    """Return whether hits at every draw would certify ``radius``."""
    threshold = guarantee.threshold(radius)
    if threshold >= 1:
        return False
    return is_reachable(threshold, stage_schedule(plan.n), plan.alpha, plan.spending)
