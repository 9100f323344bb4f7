"""The one interface of additive noise: noise -> threshold probability -> radius."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import isfinite
from typing import Any, ClassVar, Literal

from mpmath import MPContext

from certd.errors import InvalidParameter

Norm = Literal["l1", "l2", "linf"]

# mpmath's own ``mp`` has one precision for the whole process, which any thread may change.
EXACT = MPContext()
EXACT.prec = 128

SAFETY = 1e-9  # relative, on a radius: far above the error of any quantile function
ROUNDING = 1e-15  # relative, on a probability: four units in the last place


@dataclass(frozen=True, slots=True)
class AdditiveLaw(ABC):
    """Noise whose coordinates are independent, symmetric and alike.

    ``radius`` and ``threshold_probability`` are inverse to each other up to rounding, which is always towards
    the safe side: radii down, probabilities up.

    Args:
        sigma: Noise level ``sqrt(E |eps|**2 / d)``, in input units (pixels in [0, 1]); above 0.

    Raises:
        InvalidParameter: If ``sigma`` is not positive and finite.
    """

    sigma: float

    name: ClassVar[str]
    norms: ClassVar[tuple[Norm, ...]]

    def __post_init__(self) -> None:
        if not (isfinite(self.sigma) and self.sigma > 0):
            raise InvalidParameter(f"sigma must be positive and finite, in input units; got {self.sigma}.")

    @abstractmethod
    def tail(self, distance: Any) -> Any:
        """Return ``P(eps_1 > distance)`` in the arithmetic of ``EXACT``, for ``distance >= 0``."""

    @abstractmethod
    def _radius(self, complement: float, norm: Norm, dimension: int) -> float:
        """Return the radius for ``complement`` in [0, 1/2), to within rounding."""

    @abstractmethod
    def _complement(self, radius: float, norm: Norm, dimension: int) -> float:
        """Return the largest certifying ``1 - pA``, to within rounding; below 0 if none certifies."""

    def radius(
        self, p_a_lower: float, norm: Norm, dimension: int, *, complement: float | None = None
    ) -> float:
        """Return the certified radius that a lower bound on pA proves.

        No perturbation of ``norm`` up to the radius changes the class. Never rounded up.

        Args:
            p_a_lower: Lower bound on the top class's probability, in [0, 1].
            norm: Norm of the perturbation.
            dimension: Coordinates of an image, at least 1.
            complement: Upper bound on 1 - pA, in [0, 1], where it is known more finely than ``1 - p_a_lower``
                can say, as it is from 1e7 draws on; ``p_a_lower`` is then ignored.

        Returns:
            The radius in input units, in [0, largest_radius]; 0 unless pA is above 1/2.

        Raises:
            InvalidParameter: If an argument lies outside its domain, or ``norm`` has no certificate.
        """
        self._check(norm, dimension)
        q = 1.0 - p_a_lower if complement is None else complement
        if not 0 <= q <= 1:
            raise InvalidParameter(f"A bound on a probability lies in [0, 1]; its complement here is {q}.")
        return 0.0 if q >= 0.5 else max(0.0, self._radius(q, norm, dimension) * (1 - SAFETY))

    def threshold_probability(self, radius: float, norm: Norm, dimension: int) -> float:
        """Return the pA that certifies ``radius``: the null hypothesis when that radius is tested.

        Never rounded down.

        Args:
            radius: Radius in input units, at least 0.
            norm: Norm of the perturbation.
            dimension: Coordinates of an image, at least 1.

        Returns:
            The probability, in [1/2, 1]; 1 where no probability certifies the radius.

        Raises:
            InvalidParameter: If an argument lies outside its domain, or ``norm`` has no certificate.
        """
        self._check(norm, dimension)
        if not radius >= 0:
            raise InvalidParameter(f"A radius is at least 0; got {radius}.")
        p0 = 1.0 - self._complement(radius * (1 + SAFETY), norm, dimension)
        return min(1.0, p0 * (1 + ROUNDING)) if radius > 0 else 0.5

    def largest_radius(self, norm: Norm, dimension: int) -> float:
        """Return the radius at pA = 1, in input units: infinite, unless the noise is bounded.

        Args:
            norm: Norm of the perturbation.
            dimension: Coordinates of an image, at least 1.

        Raises:
            InvalidParameter: If an argument lies outside its domain, or ``norm`` has no certificate.
        """
        return self.radius(1.0, norm, dimension)

    def _check(self, norm: Norm, dimension: int) -> None:
        """Refuse what the theorems do not cover."""
        if norm not in self.norms:
            raise InvalidParameter(f"{self.name} noise certifies {', '.join(self.norms)}; got {norm}.")
        if dimension < 1:
            raise InvalidParameter(f"An image has at least one coordinate; got dimension = {dimension}.")
