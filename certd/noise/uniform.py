"""Uniform noise: certificates in l1 and linf, up to a largest radius."""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1, log1p, sqrt
from typing import TYPE_CHECKING, Any, ClassVar

from certd.noise.law import EXACT, AdditiveLaw

if TYPE_CHECKING:
    from certd.noise.law import Norm


@dataclass(frozen=True, slots=True)
class Uniform(AdditiveLaw):
    """Independent coordinates, uniform on [-u, u] with ``u = sigma sqrt(3)``.

    A shift by delta leaves the cubes overlapping in the share ``prod(1 - |delta_i| / 2u)``. The adversary
    gains at most what he uncovers, one minus the overlap, and gains exactly that against the classifier that
    votes for the top class on the whole uncovered part. Over an l1 ball the overlap is least on the axes,
    over an linf ball at the corners, so with ``m = pA - 1/2``

    * l1: ``r / 2u = m``, never above ``r = u``;
    * linf: ``1 - (1 - r / 2u)**d = m``.

    References:
        Lee, Yuan, Chang and Jaakkola (2019), arXiv:1906.04948; Yang et al. (2020), arXiv:2002.08118, table 1.
    """

    name: ClassVar[str] = "uniform"
    norms: ClassVar[tuple[Norm, ...]] = ("l1", "linf")

    def tail(self, distance: Any) -> Any:  # noqa: D102
        half_width = self.sigma * EXACT.sqrt(3)
        return max(EXACT.zero, half_width - distance) / (2 * half_width)

    def _radius(self, complement: float, norm: Norm, dimension: int) -> float:
        if norm == "l1":
            return self._width * (0.5 - complement)
        return -self._width * expm1(log1p(complement - 0.5) / dimension)

    def _complement(self, radius: float, norm: Norm, dimension: int) -> float:
        if radius >= self._width:
            return -0.5
        if norm == "l1":
            return 0.5 - radius / self._width
        return expm1(dimension * log1p(-radius / self._width)) + 0.5

    @property
    def _width(self) -> float:
        return 2 * sqrt(3) * self.sigma
