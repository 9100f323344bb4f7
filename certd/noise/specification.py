"""Which noise a certification adds: family, level and arithmetic, as values of a request."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from certd.noise.quantized import LEVELS

Family = Literal["gaussian", "laplace", "uniform", "splitting"]
NoiseArithmetic = Literal["quantized", "float"]


class NoiseSpecification(BaseModel):
    """The noise.

    Attributes:
        family: The law's name; ``splitting`` is deterministic.
        sigma: sqrt(E|eps|^2 / d) in input units, pixels in [0, 1], before normalisation.
        arithmetic: ``quantized`` draws integers on the pixel grid and is sound in any precision. ``float``
            adds rounded floats, to which the theorems do not apply to the letter; a certificate says so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: Family = "gaussian"
    sigma: float = Field(ge=1e-6, le=100, allow_inf_nan=False)
    arithmetic: NoiseArithmetic = "quantized"

    @model_validator(mode="after")
    def _splitting_is_quantized(self) -> Self:
        if self.family == "splitting" and self.arithmetic != "quantized":
            raise ValueError("splitting noise exists on the pixel grid only; leave arithmetic out")
        return self

    @property
    def levels(self) -> int:
        """Return how many grid steps a uniform interval of this sigma spans: 2 sqrt(3) sigma, in 1/255."""
        return max(1, round(2 * math.sqrt(3) * self.sigma * LEVELS))
