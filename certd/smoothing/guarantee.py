"""The guarantee: turns a bound on pA into a radius, for one noise, norm and input shape."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from certd.errors import InvalidParameter
from certd.noise import AdditiveLaw, Norm, additive_law, quantized
from certd.statistics import clopper_pearson_upper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certd.noise.specification import NoiseSpecification


@dataclass(frozen=True, slots=True)
class Bound:
    """A lower bound on pA and the radius that it proves.

    Attributes:
        p_a_lower: In [0, 1); never rounded up.
        radius: In input units; 0 unless ``p_a_lower`` is above 1/2; never rounded up.
    """

    p_a_lower: float
    radius: float


@dataclass(frozen=True, slots=True)
class Guarantee:
    """What a probability proves under one additive noise.

    Attributes:
        law: The exact law whose theorem gives the radius.
        norm: The norm of the radius.
        dimension: Coordinates of an image.
        slack: How far the sampled law can stand from the exact one, in total variation over a whole image. A
            probability bounded under the one holds for the other after giving up this much.
    """

    law: AdditiveLaw
    norm: Norm
    dimension: int
    slack: float

    @classmethod
    def of(cls, noise: NoiseSpecification, norm: Norm, input_shape: Sequence[int]) -> Guarantee:
        """Return the guarantee of ``noise`` in ``norm`` on images of ``input_shape``.

        Raises:
            InvalidParameter: If this noise certifies nothing in this norm.
        """
        if noise.family == "splitting":
            # Each coordinate is uniform by itself; the exhaustive plan, which alone draws this noise, is
            # exact.
            return cls(additive_law("uniform", noise.sigma), norm, math.prod(input_shape), 0.0)
        law = additive_law(noise.family, noise.sigma)
        if norm not in law.norms:
            raise InvalidParameter(
                f"{noise.family} noise certifies {' and '.join(law.norms)}, not {norm}.", pointer="/norm"
            )
        dimension = math.prod(input_shape)
        exact = noise.arithmetic == "float"
        slack = 0.0 if exact else dimension * quantized(law).total_variation
        return cls(law, norm, dimension, math.nextafter(slack, 1.0) if slack else 0.0)

    def bound(self, top_count: int, draws: int, alpha: float) -> Bound:
        """Bound pA from below, with failure probability ``alpha``, and return the radius this proves.

        Works with 1 - pA, which keeps its digits where pA is close to one.

        Args:
            top_count: Draws that voted for the tested class, in [0, draws].
            draws: Independent draws, at least 1, none of which chose the class.
            alpha: Failure probability, in (0, 1).
        """
        return _proved(self, draws - top_count, draws, alpha)

    def bound_from(self, p_lower: float) -> Bound:
        """Return what a lower bound on the class's probability under the sampled law proves."""
        return self._prove(_up(1.0 - p_lower))

    def widen(self, lower: float, upper: float) -> tuple[float, float]:
        """Return bounds on two probabilities under the exact law from bounds under the sampled one."""
        return max(0.0, math.nextafter(lower - self.slack, 0.0)), min(1.0, _up(upper + self.slack))

    def threshold(self, radius: float) -> float:
        """Return the probability under the sampled law above which ``radius`` is certified; rounded up.

        At least 1 where no probability certifies the radius.
        """
        return _up(self.law.threshold_probability(radius, self.norm, self.dimension) + self.slack)

    def require_gaussian_l2(self, option: str) -> float:
        """Return sigma, for theorems that hold for Gaussian noise in l2 alone.

        Raises:
            InvalidParameter: If the noise or the norm is another.
        """
        if self.law.name != "gaussian" or self.norm != "l2":
            raise InvalidParameter(
                f"{option} is proved for gaussian noise in l2; this is {self.law.name} in {self.norm}.",
                pointer="/noise",
            )
        return self.law.sigma

    def _prove(self, failure: float) -> Bound:
        failure = min(1.0, _up(failure + self.slack))
        radius = self.law.radius(1.0 - failure, self.norm, self.dimension, complement=failure)
        return Bound(p_a_lower=max(0.0, math.nextafter(1.0 - failure, 0.0)), radius=radius)


@lru_cache(maxsize=1 << 16)
def _proved(guarantee: Guarantee, misses: int, draws: int, alpha: float) -> Bound:
    """Return what a count proves; in a large run most counts come more than once."""
    return guarantee._prove(clopper_pearson_upper(misses, draws, alpha))  # noqa: SLF001 - its own module


def _up(value: float) -> float:
    return math.nextafter(value, math.inf)
