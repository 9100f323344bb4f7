"""The question of a sweep: which soups, on which images, under which noise. Needs no torch."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from certd.models.mixing import Reference
from certd.models.recipe import CalibrationPlan, Recipe
from certd.models.soup_specification import ENSEMBLE
from certd.smoothing.request import parse_request

if TYPE_CHECKING:
    from certd.smoothing.request import Certification

MOST_SOUPS = 2_000


class SoupSweep(BaseModel):
    """The question of a sweep, whole; two equal ones give equal counts.

    Attributes:
        ingredients: Pinned references.
        units: Steps of one whole.
        grid: Weights of each soup in steps, in the order of their numbers.
        dataset: Name of the data set.
        image_ids: Its images that are certified, in order.
        sigmas: Noise levels; each soup is certified under each.
        seed: Of the noise, one for all soups: the same image sees the same noise in every soup, so soups
            differ by their weights alone, and equal soups get equal counts.
        options: Plan, budget and arithmetic, under the names of a certification request.
        calibration: Data set, images, noise and batch of estimated statistics; None averages them.
        ensemble: Whether the ensemble of the ingredients is certified beside them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ingredients: tuple[Reference, ...]
    units: Annotated[int, Field(ge=1)]
    grid: tuple[tuple[int, ...], ...] = Field(min_length=1, max_length=MOST_SOUPS)
    dataset: str
    image_ids: tuple[int, ...] = Field(min_length=1)
    sigmas: tuple[Annotated[float, Field(gt=0)], ...] = Field(min_length=1)
    seed: int
    options: dict[str, Any]
    calibration: dict[str, Any] | None = None
    ensemble: bool = False

    @model_validator(mode="after")
    def _nothing_twice(self) -> Self:
        if len(set(self.grid)) != len(self.grid) or len(set(self.sigmas)) != len(self.sigmas):
            raise ValueError("a soup and a noise level stand once in a sweep")
        return self

    @property
    def members(self) -> tuple[int | Literal["ensemble"], ...]:
        """Return the numbers of the soups, then the ensemble if it takes part."""
        return (*range(len(self.grid)), *((ENSEMBLE,) if self.ensemble else ()))

    def name(self, member: int | str) -> str:
        """Return what a member is called: its weights, such as ``soup-m0.4-1.4``, m for minus."""
        if isinstance(member, str):
            return member
        weights = (f"{weight / self.units:g}".replace("-", "m") for weight in self.grid[member])
        return f"soup-{'-'.join(weights)}"

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the whole question."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def runs(self) -> tuple[tuple[int | Literal["ensemble"], float], ...]:
        """Return every run of the sweep by its number: which member, under which noise level."""
        return tuple((member, sigma) for member in self.members for sigma in self.sigmas)

    @property
    def reference(self) -> str:
        """Return ``soups@sha256:digest``, where other questions pin a model."""
        return f"soups@sha256:{self.digest}"

    def recipe(self, member: int | str) -> Recipe:
        """Return what a member is made of."""
        return Recipe(
            name=self.name(member),
            ingredients=self.ingredients,
            weights=None if isinstance(member, str) else self.grid[member],
            units=self.units,
            calibration=None if self.calibration is None else CalibrationPlan(**self.calibration),
        )

    def certification(self, reference: str, sigma: float) -> Certification:
        """Return what is asked of one member under one noise level.

        Args:
            reference: The member, as ``name@sha256:digest``.
            sigma: One of the sweep's.

        Raises:
            InvalidParameter: If an option is unknown or outside its domain.
        """
        name = reference.partition("@")[0]
        asked = {**self.options, "model": name, "sigma": sigma, "seed": self.seed}
        return parse_request(asked).resolve(reference, labelled=True)
