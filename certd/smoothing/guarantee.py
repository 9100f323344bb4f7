"""The guarantee: turns a count into a lower bound on pA and a radius, for one noise, norm and input shape."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certd.noise import AdditiveLaw, Gaussian, Norm, quantized
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
    """What a probability proves under one noise.

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
    def of(cls, noise: NoiseSpecification, input_shape: Sequence[int]) -> Guarantee:
        """Return the guarantee of ``noise`` on images of ``input_shape``, in l2."""
        law = Gaussian(noise.sigma)
        dimension = math.prod(input_shape)
        return cls(law, "l2", dimension, dimension * quantized(law).total_variation)

    def bound(self, top_count: int, draws: int, alpha: float) -> Bound:
        """Bound pA from below, with failure probability ``alpha``, and return the radius this proves.

        Works with 1 - pA, which keeps its digits where pA is close to one.

        Args:
            top_count: Draws that voted for the tested class, in [0, draws].
            draws: Independent draws, at least 1, none of which chose the class.
            alpha: Failure probability, in (0, 1).
        """
        failure = min(1.0, _up(clopper_pearson_upper(draws - top_count, draws, alpha) + self.slack))
        radius = self.law.radius(1.0 - failure, self.norm, self.dimension, complement=failure)
        return Bound(p_a_lower=max(0.0, math.nextafter(1.0 - failure, 0.0)), radius=radius)


def _up(value: float) -> float:
    return math.nextafter(value, math.inf)
