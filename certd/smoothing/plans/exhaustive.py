"""The exhaustive plan: splitting noise has few copies; all are classified, and nothing is left to chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from certd.errors import CannotCertify
from certd.noise.splitting import SplittingNoise
from certd.smoothing.draws import Draws, Phase
from certd.smoothing.plans.fields import DrawCount
from certd.smoothing.plans.plan import Conclusion

if TYPE_CHECKING:
    from certd.smoothing.draws import Record
    from certd.smoothing.guarantee import Guarantee
    from certd.smoothing.votes import VoteKind


class ExhaustivePlan(BaseModel):
    """Classify every one of the ``n`` copies that splitting noise makes of an image.

    The certificate is exact: no draw is random, so alpha is 0 and the radius, in l1, is certain.

    References:
        certd.noise.splitting, which holds the proof.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["exhaustive"] = "exhaustive"
    n: DrawCount

    @property
    def alpha(self) -> float:
        """Return 0: nothing is left to chance."""
        return 0.0

    @property
    def vote_kind(self) -> VoteKind:
        """Return ``hard``: one vote for the class of the largest logit."""
        return "hard"

    @property
    def max_draws(self) -> int:
        """Return the number of copies."""
        return self.n

    def check(self, guarantee: Guarantee, num_classes: int) -> None:  # noqa: ARG002
        """Refuse noise so narrow that not even one grid step could be certified."""
        if self.max_radius(guarantee) <= 0:
            raise CannotCertify(
                f"Splitting noise with {self.n} copies certifies no step of 1/255; raise sigma.",
                pointer="/sigma",
            )

    def max_radius(self, guarantee: Guarantee) -> float:  # noqa: ARG002
        """Return the radius when all copies agree."""
        return self._noise.radius(np.array([self.n, 0]))

    def next_draws(self, record: Record, guarantee: Guarantee) -> Draws | None:  # noqa: ARG002
        """Ask for all copies, once."""
        done = record.drawn(Phase.ESTIMATION)
        return Draws(Phase.ESTIMATION, done, self.n) if done < self.n else None

    def tested_class(self, record: Record) -> int | None:  # noqa: ARG002
        """Return None: the copies are looked at once."""
        return None

    def conclude(self, record: Record, guarantee: Guarantee) -> Conclusion:  # noqa: ARG002
        """Certify the class with most votes by its margin."""
        counts = record.tallies[Phase.ESTIMATION].counts
        top_class = int(np.argmax(counts))
        radius = self._noise.radius(counts)
        return Conclusion(
            prediction=top_class if radius > 0 else None,
            top_class=top_class,
            top_count=int(counts[top_class]),
            draws=self.n,
            p_a_lower=int(counts[top_class]) / self.n,
            radius=radius,
        )

    @property
    def _noise(self) -> SplittingNoise:
        # The offsets' seed is part of the classifier and plays no part in the guarantee.
        return SplittingNoise(self.n, seed=0)
