"""What is registered about a soup: which registered models are averaged, with which weights."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from certd.models.mixing import Reference
from certd.models.specification import Sha256, Size

SOUP: Literal["soup"] = "soup"
ENSEMBLE: Literal["ensemble"] = "ensemble"
MOST_INGREDIENTS = 16
MOST_UNITS = 10_000


class Calibration(BaseModel):
    """Where the batch-norm statistics of a soup come from, if they are not averaged.

    Attributes:
        dataset: Registered data set, or a URI, of the calibration images.
        image_ids: Which of its images, so that a certificate can be checked not to be about them.
        sigma: Noise that was added to them, input units.
        seed: Of that noise.
        batch_size: Images of one pass; the statistics are a mean over passes.
        statistics: SHA-256 of the file that holds the estimated statistics. They are stored, not estimated
            at each load: another machine would round them otherwise, and be another classifier.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    image_ids: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1, max_length=100_000)
    sigma: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    batch_size: Annotated[int, Field(ge=1)]
    statistics: Sha256


class Soup(BaseModel):
    """A weighted average of the weights of registered models of one architecture.

    Attributes:
        ingredients: The models, as ``name@sha256:digest``.
        weights: One each, in steps of ``1 / units``; they sum to ``units``, and may be negative.
        units: Steps of one whole.
        calibration: Where the batch-norm statistics come from; None where they are averaged too.

    References:
        Wortsman et al. (2022), arXiv:2203.05482; Croce et al. (2023), arXiv:2302.10164.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ingredients: tuple[Reference, ...] = Field(min_length=1, max_length=MOST_INGREDIENTS)
    weights: tuple[int, ...]
    units: Annotated[int, Field(ge=1, le=MOST_UNITS)]
    calibration: Calibration | None = None

    @model_validator(mode="after")
    def _one_whole(self) -> Self:
        if len(self.weights) != len(self.ingredients):
            raise ValueError(f"{len(self.ingredients)} ingredients need as many weights")
        if sum(self.weights) != self.units:
            raise ValueError(f"the weights sum to {sum(self.weights)}/{self.units}; they must sum to one")
        if max(abs(weight) for weight in self.weights) > MOST_UNITS:
            raise ValueError(f"a weight is at most {MOST_UNITS} steps")
        return self

    @property
    def digest(self) -> str:
        """Return the SHA-256 of what determines the soup: its ingredients' digests, weights, statistics."""
        pins = tuple(each.rpartition(":")[2] for each in self.ingredients)
        return hashlib.sha256(
            self.model_copy(update={"ingredients": pins}).model_dump_json().encode()
        ).hexdigest()

    @property
    def sentence(self) -> str:
        """Say what is averaged, with which weights."""
        parts = (
            f"{weight / self.units:g} {reference.partition('@')[0]}"
            for weight, reference in zip(self.weights, self.ingredients, strict=True)
        )
        found = self.calibration
        told = (
            ""
            if found is None
            else (
                f"; statistics estimated on {len(found.image_ids)} images of {found.dataset} "
                f"at sigma {found.sigma:g}"
            )
        )
        return f"soup of {', '.join(parts)}{told}"


class SoupSpecification(BaseModel):
    """A registry entry that averages others.

    Attributes:
        name: Short name, unique in the registry.
        soup: Which models, pinned by their digests, with which weights.
        uri: File of the estimated statistics, relative to the registry; None where they are averaged.
        input_shape: Channel, height and width of one image, of every ingredient.
        num_classes: Number of logits of every ingredient.
        training_sigma: Noise level of training, where all ingredients share one.
        description: One line for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    soup: Soup
    uri: str | None = None
    input_shape: tuple[Size, Size, Size]
    num_classes: Annotated[int, Field(ge=2)]
    training_sigma: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    description: str = ""

    @model_validator(mode="after")
    def _statistics_and_file(self) -> Self:
        if (self.uri is None) != (self.soup.calibration is None):
            raise ValueError("estimated statistics and the file that holds them go together")
        return self

    @property
    def architecture(self) -> Literal["soup"]:
        """Return ``soup``, where other entries name a network."""
        return SOUP

    @property
    def digest(self) -> str:
        """Return the SHA-256 of everything that determines the soup, its ingredients included."""
        return self.soup.digest

    @property
    def reference(self) -> str:
        """Return ``name@sha256:digest``, by which a job pins the soup."""
        return f"{self.name}@sha256:{self.digest}"
