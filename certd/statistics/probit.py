"""Round the normal quantile to the side that keeps a radius true.

The library's quantile is accurate to a few units in the last place, relative to its own value, so widening it
by one part in 1e9 outlasts its error and costs nothing that a printed radius would show.
"""

from __future__ import annotations

from scipy.special import ndtri

MARGIN = 1e-9


def probit_down(probability: float) -> float:
    """Return ``Phi^-1(probability)``, never rounded up; minus infinity at 0."""
    z = float(ndtri(probability))
    return z - MARGIN * abs(z)


def probit_up(probability: float) -> float:
    """Return ``Phi^-1(probability)``, never rounded down; plus infinity at 1."""
    z = float(ndtri(probability))
    return z + MARGIN * abs(z)
