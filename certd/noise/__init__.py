"""Noise laws, their certificates, and the reproducible streams that draw them.

Nothing here needs torch or numba; the streams do, and are imported by name (``certd.noise.source``).
"""

from certd.noise.families import additive_law
from certd.noise.gaussian import Gaussian
from certd.noise.laplace import Laplace
from certd.noise.law import AdditiveLaw, Norm
from certd.noise.quantized import QuantizedNoise, quantized, quantized_gaussian
from certd.noise.uniform import Uniform

__all__ = [
    "AdditiveLaw",
    "Gaussian",
    "Laplace",
    "Norm",
    "QuantizedNoise",
    "Uniform",
    "additive_law",
    "quantized",
    "quantized_gaussian",
]
