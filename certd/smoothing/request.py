"""What can be asked: one flat set of names for REST, command line and Python, and what it resolves to."""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from certd.errors import InvalidParameter
from certd.models.mixing import Mixing
from certd.models.runtime.arithmetic import AskedDtype, ExecutionArithmetic
from certd.noise import Norm
from certd.noise.specification import Family, NoiseArithmetic, NoiseSpecification
from certd.smoothing.options import Options, invalid_parameter
from certd.smoothing.plans import (
    AnyPlan,
    ExhaustivePlan,
    FixedPlan,
    OpenPlan,
    Plan,
    PrecisionPlan,
    PredictPlan,
    RadiiPlan,
)
from certd.smoothing.plans.checked import DEFAULT_CHECK_DRAWS, CheckedPlan
from certd.smoothing.plans.fields import DrawCount
from certd.smoothing.plans.mixture import MixturePlan
from certd.smoothing.plans.radii import MAX_RADII
from certd.statistics.mixture_bounds import BoundKind

Seed = Annotated[int, Field(ge=0, lt=1 << 64)]
BatchSize = Annotated[int, Field(ge=1, le=1 << 20)]
Radii = Annotated[tuple[float, ...], Field(max_length=MAX_RADII, fail_fast=True)]
PlanKind = Literal["fixed", "radii", "precision", "open", "exhaustive", "predict"]

DEFAULT_BATCH_SIZE = 256
# JavaScript reads larger integers as rounded floats, and a rounded seed draws other noise.
SEED_BITS = 53

_PLANS: dict[PlanKind, type[BaseModel]] = {
    "fixed": FixedPlan,
    "radii": RadiiPlan,
    "precision": PrecisionPlan,
    "open": OpenPlan,
    "exhaustive": ExhaustivePlan,
    "predict": PredictPlan,
}
# What a plan says of itself, and nobody asks for.
_DECLARED = {"kind", "spending"}
_PLAN_OPTIONS = frozenset(name for plan in _PLANS.values() for name in plan.model_fields) - _DECLARED
_NATURAL_NORM: dict[Family, Norm] = {"gaussian": "l2", "laplace": "l1", "uniform": "l1", "splitting": "l1"}

ModelT = TypeVar("ModelT", bound=BaseModel)


class Certification(BaseModel):
    """A certification in full: two equal values draw the same noise and prove the same radii."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(description="name@sha256 of the base classifier")
    noise: NoiseSpecification
    norm: Norm
    plan: AnyPlan
    seed: Seed
    batch_size: BatchSize | Literal["auto"]
    execution: ExecutionArithmetic = Field(
        default_factory=ExecutionArithmetic, description="How the base classifier runs"
    )
    check_draws: DrawCount | None = Field(default=None, description="dtype checked: copies classified twice")
    confidence: bool = Field(default=False, description="Whether sums of the softmax are kept beside votes")
    mixing: Mixing | None = Field(default=None, description="Where the model is a mixture: of what, and how")
    mixture_bounds: BoundKind | None = Field(default=None, description="smooth-then-mix: classes bounded")

    @field_validator("plan", mode="before")
    @classmethod
    def _unnamed_spending_is_even(cls, plan: Any) -> Any:
        """Read the runs and jobs of earlier versions as they were drawn: they shared alpha out evenly."""
        unnamed = isinstance(plan, dict) and plan.get("kind") == "radii" and "spending" not in plan
        return {**plan, "spending": "even"} if unnamed else plan

    @model_validator(mode="after")
    def _splitting_is_exhaustive(self) -> Self:
        splitting = self.noise.family == "splitting"
        if splitting != (self.plan.kind == "exhaustive") or (splitting and self.norm != "l1"):
            raise ValueError("splitting noise, the exhaustive plan and the l1 norm go together")
        return self

    @model_validator(mode="after")
    def _checked_draws_are_known(self) -> Self:
        if (self.check_draws is not None) != (self.execution.dtype == "checked"):
            raise ValueError("check_draws and dtype checked go together")
        return self

    @model_validator(mode="after")
    def _mixture_is_bounded(self) -> Self:
        if self.smooths_then_mixes != (self.mixture_bounds is not None):
            raise ValueError("mixture_bounds and a smooth-then-mix mixture go together")
        if self.smooths_then_mixes and self.check_draws is not None:
            raise ValueError("dtype checked is not proved for smooth-then-mix; ask for float32 or bfloat16")
        return self

    @property
    def smooths_then_mixes(self) -> bool:
        """Return whether the votes are of the robust classifier alone, and mixed afterwards."""
        return self.mixing is not None and self.mixing.product == "smooth-then-mix"

    @property
    def rows(self) -> int:
        """Return the rows of every forward pass.

        Raises:
            InvalidParameter: If that was left open; see ``certd.smoothing.settling``.
        """
        if self.batch_size == "auto":
            raise InvalidParameter("Settle the batch size before the first draw.", pointer="/batch_size")
        return self.batch_size

    @property
    def procedure(self) -> Plan:
        """Return the plan as it is carried out: with the check of the votes, or concluding about a mixture.

        Raises:
            InvalidParameter: If the plan cannot be checked, or cannot conclude about a mixture.
        """
        if self.mixing is not None and self.mixture_bounds is not None:
            return MixturePlan(self.plan, self.mixing, self.mixture_bounds)
        return self.plan if self.check_draws is None else CheckedPlan(self.plan, self.check_draws)


class CertificationRequest(Options):
    """The options of one certification, under the names that REST, command line and Python share.

    An option that is absent takes its plan's default; one that its plan does not have is refused.
    """

    model: str = Field(min_length=1, max_length=256, examples=["digits-cnn"])
    sigma: float = Field(ge=1e-6, le=100, allow_inf_nan=False, description="Noise level, pixels in [0, 1]")
    noise: Family = "gaussian"
    arithmetic: NoiseArithmetic = "quantized"
    norm: Norm | None = Field(default=None, description="Of the radius; by default the noise's own")
    plan: PlanKind | None = Field(
        default=None, description="radii with labels, precision without; fixed for mixtures"
    )
    n0: int | None = Field(default=None, description="Selection draws")
    n: int | None = Field(default=None, description="Estimation draws, or the most of them")
    alpha: float | None = Field(default=None, description="Failure probability of one certificate")
    radii: Radii | None = Field(default=None, description="radii: the list to decide, input units")
    pilot: int | None = Field(default=None, description="precision: draws that choose class and budget")
    tolerance: float | None = Field(default=None, description="precision: radius that may be lost, in sigmas")
    radius: float | None = Field(default=None, description="open: stop once this is certified")
    bound: Literal["one-sided", "two-sided"] | None = Field(default=None, description="fixed: see the plan")
    split: bool | None = Field(default=None, description="fixed: false counts all draws, at half of alpha")
    votes: Literal["hard", "soft"] | None = Field(default=None, description="fixed: see the plan")
    mean_bound: Literal["thinned", "hoeffding", "bernstein"] | None = Field(
        default=None, description="soft votes"
    )
    top_k: int | None = Field(default=None, description="fixed: certify membership of the top k")
    mixture_bounds: BoundKind | None = Field(
        default=None,
        description="smooth-then-mix: bound all classes at shares of alpha, or one at all of it",
    )
    seed: Seed | None = Field(default=None, description="Key of the noise; drawn afresh when absent")
    batch_size: BatchSize | Literal["auto"] | None = Field(
        default=None, description="Rows of a forward pass; auto finds the fastest"
    )
    dtype: AskedDtype = Field(
        default="float32",
        description="Type of weights and activations; checked: float32, from votes cast in bfloat16",
    )
    check_draws: int | None = Field(default=None, description="dtype checked: copies classified twice")
    confidence: bool = Field(
        default=False, description="Also record how sure the classifier is; needs labels, changes no count"
    )
    compiled: bool | Literal["auto"] = Field(
        default=False, description="Compile the network first; auto does where the job earns it back"
    )
    tf32: bool = Field(default=False, description="Let CUDA round the factors of float32 products")

    def resolve(self, model_reference: str, *, labelled: bool, mixing: Mixing | None = None) -> Certification:
        """Fill in every default, pin the model and draw a seed if none was given.

        Args:
            model_reference: ``name@sha256`` of the model.
            labelled: Whether the images have labels, on which the default plan depends.
            mixing: Of what the model is a mixture, if it is one.

        Raises:
            InvalidParameter: If options contradict one another or lie outside their domain.
        """
        asked = {"family": self.noise, "sigma": self.sigma, "arithmetic": self.arithmetic}
        noise = _validated(NoiseSpecification, asked)
        bounds = self._mixture_bounds(mixing)
        values = {
            "model": model_reference,
            "noise": noise,
            "norm": self.norm or _NATURAL_NORM[self.noise],
            "plan": self._plan(noise, labelled=labelled, mixture=bounds is not None),
            "seed": secrets.randbits(SEED_BITS) if self.seed is None else self.seed,
            "batch_size": self.batch_size or DEFAULT_BATCH_SIZE,
            "execution": {"dtype": self.dtype, "compiled": self.compiled, "tf32": self.tf32},
            "check_draws": self._check_draws,
            "confidence": self._confidence(labelled=labelled),
            "mixing": mixing,
            "mixture_bounds": bounds,
        }
        return _validated(Certification, values)

    def _mixture_bounds(self, mixing: Mixing | None) -> BoundKind | None:
        if mixing is not None and mixing.product == "smooth-then-mix":
            return self.mixture_bounds or "classes"
        if self.mixture_bounds is not None:
            raise InvalidParameter(
                "mixture_bounds is an option of smooth-then-mix mixtures; this model is none. Leave it out.",
                pointer="/mixture_bounds",
            )
        return None

    def _confidence(self, *, labelled: bool) -> bool:
        if self.confidence and not labelled:
            raise InvalidParameter(
                "How sure a classifier is, is held against what is right: give a label for every image.",
                pointer="/confidence",
            )
        if self.confidence and (self.dtype == "checked" or self.votes == "soft"):
            raise InvalidParameter(
                "confidence is recorded of hard votes that one execution casts; leave it out, or leave out "
                "dtype checked and votes soft.",
                pointer="/confidence",
            )
        return self.confidence

    @property
    def _check_draws(self) -> int | None:
        if self.check_draws is not None and self.dtype != "checked":
            raise InvalidParameter(
                "check_draws is an option of dtype checked; leave it out, or ask for that dtype.",
                pointer="/check_draws",
            )
        if self.dtype != "checked":
            return None
        return DEFAULT_CHECK_DRAWS if self.check_draws is None else self.check_draws

    def _plan(self, noise: NoiseSpecification, *, labelled: bool, mixture: bool = False) -> BaseModel:
        kind = self.plan or ("fixed" if mixture else self._default_plan(labelled=labelled))
        given = {name: value for name in _PLAN_OPTIONS if (value := getattr(self, name)) is not None}
        foreign = sorted(given.keys() - _PLANS[kind].model_fields.keys())
        if foreign:
            owners = sorted(other for other, plan in _PLANS.items() if foreign[0] in plan.model_fields)
            raise InvalidParameter(
                f"{foreign[0]} is an option of plan {' and '.join(owners)}; this is plan {kind}. "
                "Leave it out, or name the plan.",
                pointer=f"/{foreign[0]}",
            )
        if kind == "exhaustive":
            given = {"n": noise.levels, **given}
            if given["n"] != noise.levels:
                raise InvalidParameter(
                    f"Splitting noise of sigma {noise.sigma:g} has {noise.levels} copies; leave n out.",
                    pointer="/n",
                )
        return _validated(_PLANS[kind], given)

    def _default_plan(self, *, labelled: bool) -> PlanKind:
        if self.noise == "splitting":
            return "exhaustive"
        return "radii" if labelled else "precision"


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
