"""What can be asked: one flat set of names for REST, command line and Python, and what it resolves to."""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from certd.errors import InvalidParameter
from certd.noise.specification import NoiseSpecification
from certd.smoothing.plans.fixed import FixedPlan

Seed = Annotated[int, Field(ge=0, lt=1 << 64)]
BatchSize = Annotated[int, Field(ge=1, le=1 << 20)]

DEFAULT_BATCH_SIZE = 256
# JavaScript reads larger integers as rounded floats, and a rounded seed draws other noise.
_SEED_BITS = 53

_PLAN_FIELDS = {"n0", "n", "alpha"}

ModelT = TypeVar("ModelT", bound=BaseModel)


class Certification(BaseModel):
    """A certification in full: two equal values draw the same noise and prove the same radii."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(description="name@sha256 of the base classifier")
    noise: NoiseSpecification
    plan: FixedPlan
    seed: Seed
    batch_size: BatchSize


class CertificationRequest(BaseModel):
    """The options of one certification, under the names that REST, command line and Python share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(min_length=1, max_length=256, examples=["digits-cnn"])
    sigma: float = Field(gt=0, le=100, allow_inf_nan=False, description="Noise level, pixels in [0, 1]")
    noise: Literal["gaussian"] = "gaussian"
    plan: Literal["fixed"] = "fixed"
    n0: int | None = Field(default=None, description="Selection draws")
    n: int | None = Field(default=None, description="Estimation draws")
    alpha: float | None = Field(default=None, description="Failure probability of one certificate")
    seed: Seed | None = Field(default=None, description="Key of the noise; drawn afresh when absent")
    batch_size: BatchSize | None = None

    def resolve(self, model_reference: str) -> Certification:
        """Fill in every default, pin the model and draw a seed if none was given."""
        return Certification(
            model=model_reference,
            noise=NoiseSpecification(family=self.noise, sigma=self.sigma),
            plan=self._plan(),
            seed=secrets.randbits(_SEED_BITS) if self.seed is None else self.seed,
            batch_size=self.batch_size or DEFAULT_BATCH_SIZE,
        )

    def _plan(self) -> FixedPlan:
        given = {name: value for name in _PLAN_FIELDS if (value := getattr(self, name)) is not None}
        return _validated(FixedPlan, {"kind": self.plan, **given})


def parse_request(options: dict[str, Any]) -> CertificationRequest:
    """Check ``options`` against the names and domains of a request.

    Raises:
        InvalidParameter: Naming the first offending option; all of them are in ``details["errors"]``.
    """
    return _validated(CertificationRequest, options)


def _validated(kind: type[ModelT], values: dict[str, Any]) -> ModelT:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise invalid_parameter(error) from None


def invalid_parameter(error: ValidationError) -> InvalidParameter:
    """Translate a validation error into one that points at the offending options."""
    problems = [
        {"pointer": "/" + "/".join(str(part) for part in item["loc"]), "detail": item["msg"]}
        for item in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    first = problems[0]
    name = first["pointer"].strip("/") or "the request"
    return InvalidParameter(f"{name}: {first['detail']}.", pointer=first["pointer"], errors=problems)
