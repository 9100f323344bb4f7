"""Plans: how many draws an image gets, and when to stop. One plan a file."""

from typing import Annotated

from pydantic import Field

from certd.smoothing.plans.exhaustive import ExhaustivePlan
from certd.smoothing.plans.fixed import FixedPlan
from certd.smoothing.plans.open import OpenPlan
from certd.smoothing.plans.plan import Conclusion, Plan
from certd.smoothing.plans.precision import PrecisionPlan
from certd.smoothing.plans.predict import PredictPlan
from certd.smoothing.plans.radii import RadiiPlan, require_light

AnyPlan = Annotated[
    FixedPlan | RadiiPlan | PrecisionPlan | OpenPlan | ExhaustivePlan | PredictPlan,
    Field(discriminator="kind"),
]

__all__ = [
    "AnyPlan",
    "Conclusion",
    "ExhaustivePlan",
    "FixedPlan",
    "OpenPlan",
    "Plan",
    "PrecisionPlan",
    "PredictPlan",
    "RadiiPlan",
    "require_light",
]
