"""The additive laws by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.errors import InvalidParameter
from certd.noise.gaussian import Gaussian
from certd.noise.laplace import Laplace
from certd.noise.uniform import Uniform

if TYPE_CHECKING:
    from certd.noise.law import AdditiveLaw

FAMILIES: dict[str, type[AdditiveLaw]] = {law.name: law for law in (Gaussian, Laplace, Uniform)}


def additive_law(family: str, sigma: float) -> AdditiveLaw:
    """Return the law of a family at a noise level.

    Args:
        family: One of ``gaussian``, ``laplace``, ``uniform``.
        sigma: Noise level ``sqrt(E |eps|**2 / d)``, in input units, above 0.

    Raises:
        InvalidParameter: If there is no such family, or ``sigma`` is not positive and finite.
    """
    if family not in FAMILIES:
        raise InvalidParameter(f"There is no {family} noise; choose one of {', '.join(FAMILIES)}.")
    return FAMILIES[family](sigma)
