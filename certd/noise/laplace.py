"""Laplace noise: certificates in l1."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, log, sqrt
from typing import TYPE_CHECKING, Any, ClassVar

from certd.noise.law import EXACT, AdditiveLaw

if TYPE_CHECKING:
    from certd.noise.law import Norm


@dataclass(frozen=True, slots=True)
class Laplace(AdditiveLaw):
    """Independent double-exponential coordinates of scale ``b = sigma / sqrt(2)``.

    A shift by delta changes no density by more than the factor ``exp(|delta|_1 / b)``, so 1 - pA grows by no
    more than that factor: the l1 radius is ``-b ln(2 (1 - pA))``. A threshold on one coordinate attains it.

    References:
        Teng, Lee and Yuan (2020), "l1 adversarial robustness certificates: a randomized smoothing approach".
    """

    name: ClassVar[str] = "laplace"
    norms: ClassVar[tuple[Norm, ...]] = ("l1",)

    def tail(self, distance: Any) -> Any:  # noqa: D102
        return EXACT.exp(-distance * EXACT.sqrt(2) / self.sigma) / 2

    def _radius(self, complement: float, norm: Norm, dimension: int) -> float:  # noqa: ARG002
        return -self._scale * log(2 * complement) if complement > 0 else inf

    def _complement(self, radius: float, norm: Norm, dimension: int) -> float:  # noqa: ARG002
        return exp(-radius / self._scale) / 2

    @property
    def _scale(self) -> float:
        return self.sigma / sqrt(2)
