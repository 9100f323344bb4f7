"""What a job is: its question, its states, and which state may follow which."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from certd.errors import Conflict
from certd.jobs.shards import Shard
from certd.jobs.sweep import Sweep
from certd.models.recipe import Recipe
from certd.smoothing.request import Certification

ID_PATTERN = r"^job_[0-9a-z]{26}$"
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


class JobStatus(StrEnum):
    """Where a job stands. The last four are terminal: nothing follows them but expiry."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELING = "canceling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"

    @property
    def terminal(self) -> bool:
        """Return whether no work follows."""
        return self not in {JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.CANCELING}


_FOLLOWS: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.QUEUED: frozenset(
        {JobStatus.RUNNING, JobStatus.CANCELING, JobStatus.SUCCEEDED, JobStatus.FAILED}
    ),
    JobStatus.RUNNING: frozenset({JobStatus.CANCELING, JobStatus.SUCCEEDED, JobStatus.FAILED}),
    JobStatus.CANCELING: frozenset({JobStatus.CANCELED, JobStatus.SUCCEEDED, JobStatus.FAILED}),
    JobStatus.SUCCEEDED: frozenset({JobStatus.EXPIRED}),
    JobStatus.FAILED: frozenset({JobStatus.EXPIRED}),
    JobStatus.CANCELED: frozenset({JobStatus.EXPIRED}),
    JobStatus.EXPIRED: frozenset(),
}


def check_transition(before: JobStatus, after: JobStatus) -> None:
    """Refuse a step that the life of a job does not contain.

    Raises:
        Conflict: If ``after`` may not follow ``before``.
    """
    if after not in _FOLLOWS[before]:
        raise Conflict(f"A job that is {before} cannot become {after}.")


class JobInputs(BaseModel):
    """Which images a job certifies; the pixels of uploads and all labels lie beside it in ``inputs.npz``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str | None = Field(default=None, description="Registered data set; None for uploaded images")
    num_images: int = Field(ge=1)
    labelled: bool
    sha256: str = Field(description="Digest of image ids, pixels of uploads, and labels, in order")


class Job(BaseModel):
    """A job as it was asked for; written once, never changed.

    A sweep is one job of many runs. Its ``certification`` is that of all its runs but for model and sigma:
    the model is the sweep itself, by its digest, and sigma the first one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=ID_PATTERN)
    created_at: datetime
    certification: Certification
    inputs: JobInputs
    max_radius: float = Field(description="The largest radius the settings can certify, in input units")
    shards: tuple[Shard, ...]
    owner: str | None = Field(default=None, description="Whose keys see it; None where there were no keys")
    request_id: str | None = Field(default=None, description="The request that made it, as logs name it")
    tags: tuple[str, ...] = Field(default=(), description="Words of the sender's, to find it by")
    sweep: Sweep | None = Field(default=None, description="Where the job sweeps over soups: which")
    recipe: Recipe | None = Field(default=None, description="Of what a model is made that is not registered")
    marks: tuple[str, ...] = Field(default=(), description="What spoils the run, as its manifest says")

    @property
    def max_draws(self) -> int:
        """Return the most draws the job can cost."""
        return self.images_total * self.certification.procedure.max_draws

    @property
    def num_runs(self) -> int:
        """Return how many runs the job makes: one, but for a sweep."""
        return 1 if self.sweep is None else self.sweep.num_runs

    @property
    def images_total(self) -> int:
        """Return how many certificates the job makes: one an image and run."""
        return self.inputs.num_images * self.num_runs

    @property
    def timed_model(self) -> str:
        """Return whose measured speed tells how long the job takes; soups are as fast as an ingredient."""
        return self.certification.model if self.sweep is None else self.sweep.question.ingredients[0]


class Spent(BaseModel):
    """What a job that ended has done and taken.

    Attributes:
        images_done: Images with a certificate.
        images_abstained: Those of them that abstained.
        draws_done: Noise draws of those images, every phase counted.
        seconds: From the first attempt to the end; None where nobody remembers when that was.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    images_done: int = 0
    images_abstained: int = 0
    draws_done: int = 0
    seconds: float | None = None


class JobOutcome(BaseModel):
    """The terminal state of a job; written once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: JobStatus
    finished_at: datetime
    error: dict[str, Any] | None = None
    spent: Spent = Spent()


def new_job_id() -> str:
    """Return a fresh id that sorts by the time it was made: 48 bits of milliseconds, 80 random bits."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return "job_" + "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def utc_now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)
