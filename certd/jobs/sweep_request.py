"""What a client sends to sweep over soups, and to certify the soup that a sweep chose."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from certd.jobs.request import Numbers, Tag
from certd.jobs.sweep import MOST_TOP, TOP_K
from certd.models.runtime.arithmetic import AskedDtype
from certd.models.soup_specification import MOST_INGREDIENTS, MOST_UNITS
from certd.smoothing.options import Options
from certd.smoothing.request import BatchSize, Seed

Sigma = Annotated[float, Field(ge=1e-6, le=100, allow_inf_nan=False)]
Threat = Annotated[str, Field(min_length=1, max_length=64, examples=["l2:0.25@0.25"])]
Name = Annotated[str, Field(min_length=1, max_length=256)]
Step = Annotated[int, Field(ge=-MOST_UNITS, le=MOST_UNITS)]
MOST_SIGMAS = 8


class Images(Options):
    """Images of a registered data set; see the options of a job."""

    skip: int = Field(default=1, ge=1, description="Take every skip-th image of the data set")
    start: int = Field(default=0, ge=0)
    stop: int | None = Field(default=None, ge=1)
    limit: int | None = Field(default=None, ge=1, description="Take at most so many images")
    indices: Numbers | None = Field(default=None, description="Take these images instead")
    sample: int | None = Field(default=None, ge=1, description="Keep so many of them, drawn at random")
    sample_seed: int = Field(default=0, ge=0, lt=1 << 53, description="Chooses the sample")

    def chosen(self) -> dict[str, Any]:
        """Return the options under the names that a data set selects by."""
        return {name: getattr(self, name) for name in Images.model_fields}


class CalibrationRequest(Options):
    """Where batch-norm statistics of soups come from, if they are not averaged."""

    dataset: Name
    start: int = Field(default=0, ge=0)
    stop: int = Field(default=1000, ge=1)
    sigma: float | None = Field(
        default=None, ge=0, le=100, description="Noise added to them; by default the only one of the sweep"
    )
    batch_size: int = Field(default=250, ge=1, le=100_000, description="Images of one pass")


class Budget(Options):
    """How much is drawn, and in which arithmetic; the plan is fixed."""

    n0: int | None = Field(default=None, description="Selection draws")
    alpha: float | None = Field(default=None, description="Failure probability of one certificate")
    seed: Seed | None = Field(default=None, description="Key of the noise; drawn afresh when absent")
    dtype: AskedDtype = "float32"
    compiled: bool = Field(default=False, description="Compile each network first")
    batch_size: BatchSize | None = Field(default=None, description="Rows of a forward pass")

    def options(self, n: int) -> dict[str, Any]:
        """Return the options under the names of a certification, seed and sigma left out."""
        asked = {
            "plan": "fixed", "n": n, "n0": self.n0, "alpha": self.alpha, "dtype": self.dtype,
            "compiled": self.compiled, "batch_size": self.batch_size,
        }  # fmt: skip
        return {name: value for name, value in asked.items() if value is not None}


class SweepRequest(Images, Budget):
    """Certify every soup of a grid on the same images with the same noise, as one job."""

    ingredients: list[Name] = Field(
        min_length=1, max_length=MOST_INGREDIENTS, description="Registered models of one architecture"
    )
    units: int = Field(default=5, ge=1, le=MOST_UNITS, description="Steps of one whole")
    low: Step = Field(default=0, description="Least weight in steps; negative ones extrapolate")
    high: Step | None = Field(default=None, description="Greatest weight in steps; by default one whole")
    dataset: Name
    sigmas: list[Sigma] = Field(
        min_length=1, max_length=MOST_SIGMAS, description="Noise levels; each soup is certified under each"
    )
    n: int = Field(default=1000, description="Estimation draws of an image under a soup and noise level")
    radius: float | None = Field(
        default=None, ge=0, le=1e6, description="Rank soups by certified accuracy at this l2 radius"
    )
    threats: list[Threat] = Field(
        default=[], max_length=16, description="Rank soups by images that withstand all: norm:radius@sigma"
    )
    top_k: int = Field(default=TOP_K, ge=1, le=MOST_TOP, description="Soups that the report calls best")
    ensemble: bool = Field(default=True, description="Certify the ensemble of the ingredients too")
    calibrate: CalibrationRequest | None = None
    tags: list[Tag] = Field(default=[], max_length=16, description="Words to find the job by")

    @property
    def ranked_by(self) -> tuple[str, ...]:
        """Return the threats that soups are ranked by, those of ``radius`` first."""
        plain = () if self.radius is None else (f"l2:{self.radius!r}@{sigma!r}" for sigma in self.sigmas)
        return tuple(dict.fromkeys((*plain, *self.threats)))


class FinalRequest(Images, Budget):
    """Certify the soup that a sweep chose, on other images and with fresh noise, as an ordinary job."""

    sigma: Sigma
    weights: list[Step] | None = Field(
        default=None, max_length=MOST_INGREDIENTS, description="In steps; by default the best soup's"
    )
    threats: list[Threat] = Field(
        default=[], max_length=16, description="By which the best is meant; by default those of the sweep"
    )
    dataset: Name | None = Field(default=None, description="By default that of the sweep")
    n: int = Field(default=10_000, description="Estimation draws an image")
    force: bool = Field(default=False, description="Certify images that chose the soup, and mark the run")
    tags: list[Tag] = Field(default=[], max_length=16, description="Words to find the job by")
