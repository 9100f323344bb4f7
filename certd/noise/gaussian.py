"""Gaussian noise: certificates in l2, and through it in l1 and linf."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any, ClassVar

from scipy.special import ndtr, ndtri

from certd.noise.law import EXACT, AdditiveLaw

if TYPE_CHECKING:
    from certd.noise.law import Norm


@dataclass(frozen=True, slots=True)
class Gaussian(AdditiveLaw):
    """Independent normal coordinates of standard deviation ``sigma``.

    The l2 radius is sigma Phi^-1(pA), attained by a half-space. An l1 ball lies in the l2 ball of its radius
    and touches it on the axes; an linf ball lies in the l2 ball sqrt(d) times as wide and touches it at the
    corners.

    References:
        Cohen, Rosenfeld and Kolter (2019), arXiv:1902.02918, theorem 1.
    """

    name: ClassVar[str] = "gaussian"
    norms: ClassVar[tuple[Norm, ...]] = ("l2", "l1", "linf")

    def tail(self, distance: Any) -> Any:  # noqa: D102
        return EXACT.erfc(distance / (self.sigma * EXACT.sqrt(2))) / 2

    def _radius(self, complement: float, norm: Norm, dimension: int) -> float:
        return float(-ndtri(complement)) * self._l2_per(norm, dimension)

    def _complement(self, radius: float, norm: Norm, dimension: int) -> float:
        return float(ndtr(-radius / self._l2_per(norm, dimension)))

    def _l2_per(self, norm: Norm, dimension: int) -> float:
        """Return the radius in ``norm`` that one standard deviation of l2 radius is worth."""
        return self.sigma / sqrt(dimension) if norm == "linf" else self.sigma
