"""Which noise a certification adds: family, level and arithmetic, as values of a request."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class NoiseSpecification(BaseModel):
    """The law of the noise.

    Attributes:
        family: The law's name.
        sigma: sqrt(E|eps|^2 / d) in input units, pixels in [0, 1], before normalisation.
        arithmetic: ``quantized`` draws integers on the pixel grid and is sound in any precision.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: Literal["gaussian"] = "gaussian"
    sigma: float = Field(gt=0, le=100, allow_inf_nan=False)
    arithmetic: Literal["quantized"] = "quantized"
