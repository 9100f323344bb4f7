"""What every plan can do: say which draws come next, and conclude from those that were counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from certd.smoothing.draws import Draws, Record
    from certd.smoothing.guarantee import Guarantee
    from certd.smoothing.votes import VoteKind


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What the counts of one image prove.

    Attributes:
        prediction: The certified class, or None for an abstention.
        top_class: The class that was tested.
        top_count: Its count ``k`` among the counted draws.
        draws: The counted draws ``n``; selection and pilot draws are not among them.
        p_a_lower: Lower bound on pA, in [0, 1), false with probability at most alpha.
        radius: Certified radius in input units; 0 when abstaining. That of a mixture may be 0 beside a
            prediction.
        published_radii: Of a mixture: what the paper's theorems by smoothing and by Lipschitz constants give
            from the same bounds, for comparison; never above ``radius``.
    """

    prediction: int | None
    top_class: int
    top_count: int
    draws: int
    p_a_lower: float
    radius: float
    published_radii: tuple[float, float] | None = None

    @property
    def abstained(self) -> bool:
        """Return whether nothing could be certified."""
        return self.prediction is None


class Plan(Protocol):
    """How the draws of one image are spent, and when to stop.

    A plan is a value and keeps no state: both questions are answered from the record alone, so work that was
    interrupted goes on exactly where its record stands.
    """

    @property
    def kind(self) -> str:
        """Return the plan's name in requests and files."""

    @property
    def alpha(self) -> float:
        """Return the failure probability of one image's certificate."""

    @property
    def max_draws(self) -> int:
        """Return the most draws one image can cost, all phases together."""

    @property
    def vote_kind(self) -> VoteKind:
        """Return what one noisy copy contributes."""

    def check(self, guarantee: Guarantee, num_classes: int) -> None:
        """Refuse settings under which no image could be certified, before a draw is spent.

        Raises:
            CannotCertify: With the arithmetic and the least settings that would do.
        """

    def max_radius(self, guarantee: Guarantee) -> float:
        """Return the largest radius the plan can certify, in input units."""

    def next_draws(self, record: Record, guarantee: Guarantee) -> Draws | None:
        """Return the draws to count next, or None when the image is finished."""

    def tested_class(self, record: Record) -> int | None:
        """Return the class whose hits the record's trail follows, if the plan looks more than once."""

    def conclude(self, record: Record, guarantee: Guarantee) -> Conclusion:
        """Return what the record proves."""
