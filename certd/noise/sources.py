"""Open the source of the noise that a specification names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.noise.families import additive_law
from certd.noise.float_source import FloatNoiseSource
from certd.noise.quantized import quantized
from certd.noise.source import QuantizedNoiseSource
from certd.noise.splitting import SplittingNoise
from certd.noise.splitting_source import SplittingNoiseSource

if TYPE_CHECKING:
    from certd.noise.source import NoiseSource
    from certd.noise.specification import NoiseSpecification


def open_source(noise: NoiseSpecification, seed: int) -> NoiseSource:
    """Return what draws ``noise``, keyed by ``seed``.

    Args:
        noise: Family, level and arithmetic.
        seed: Seed of the job, in [0, 2**64).
    """
    if noise.family == "splitting":
        return SplittingNoiseSource(SplittingNoise(noise.levels, seed))
    law = additive_law(noise.family, noise.sigma)
    return (
        QuantizedNoiseSource(quantized(law), seed)
        if noise.arithmetic == "quantized"
        else FloatNoiseSource(law, seed)
    )
