"""A recipe: what a classifier is made of that is in no registry. Needs no torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from certd.models.mixing import Reference
from certd.models.soup_specification import MOST_INGREDIENTS, MOST_UNITS


class CalibrationPlan(BaseModel):
    """On which images batch-norm statistics are estimated, and how; nothing is estimated yet.

    Attributes:
        dataset: Name of the data set.
        image_ids: Which of its images.
        sigma: Noise added to them, input units.
        seed: Of that noise.
        batch_size: Images of one pass.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    image_ids: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1, max_length=100_000)
    sigma: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    batch_size: Annotated[int, Field(ge=1)]


class Recipe(BaseModel):
    """A soup of registered models, or the ensemble of them.

    Attributes:
        name: What the classifier is called.
        ingredients: Pinned references.
        weights: In steps, one an ingredient; None for the ensemble.
        units: Steps of one whole.
        calibration: How batch-norm statistics are estimated; None averages them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    ingredients: tuple[Reference, ...] = Field(min_length=1, max_length=MOST_INGREDIENTS)
    weights: tuple[int, ...] | None
    units: Annotated[int, Field(ge=1, le=MOST_UNITS)]
    calibration: CalibrationPlan | None = None
