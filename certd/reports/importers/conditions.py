"""Under what a log was made: its file does not say it, so its reader must."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certd.errors import InvalidParameter
from certd.noise import additive_law
from certd.smoothing.guarantee import Guarantee

if TYPE_CHECKING:
    from certd.noise import Norm
    from certd.smoothing.plans import FixedPlan

DEFAULT_ALPHA = 0.001


@dataclass(frozen=True, slots=True)
class Conditions:
    """Noise, norm and failure probability of somebody else's run.

    Attributes:
        sigma: Noise level, input units.
        alpha: Failure probability of one certificate, one-sided.
        noise: ``gaussian``, ``laplace`` or ``uniform``.
        norm: Of the radii.
        dimension: Coordinates of an image; radii in some norms depend on it.
    """

    sigma: float
    alpha: float = DEFAULT_ALPHA
    noise: str = "gaussian"
    norm: Norm = "l2"
    dimension: int = 1

    @property
    def guarantee(self) -> Guarantee:
        """Return what turns a bound on pA into a radius; such logs were made with noise in floating point.

        Raises:
            InvalidParameter: If this noise certifies nothing in this norm, or sigma is no noise level.
        """
        law = additive_law(self.noise, self.sigma)
        if self.norm not in law.norms:
            raise InvalidParameter(
                f"{self.noise} noise certifies {' and '.join(law.norms)}, not {self.norm}."
            )
        return Guarantee(law, self.norm, self.dimension, 0.0)

    def settings(self, plan: FixedPlan) -> dict[str, Any]:
        """Return what must accompany every number, under the names that a run's manifest uses."""
        options = plan.model_dump(mode="json", exclude={"kind"}, exclude_none=True)
        basis = {"noise": self.noise, "sigma": self.sigma, "arithmetic": "float", "norm": self.norm}
        return {"dtype": "float32", **basis, "plan": "fixed", **options, "n0": plan.selection_draws}
