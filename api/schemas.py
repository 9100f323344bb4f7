"""What the routes answer with."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from certd.jobs.job import JobStatus


class Progress(BaseModel):
    """How far a job is. ``draws_expected`` is projected from the images that are finished."""

    images_total: int
    images_done: int
    images_abstained: int
    draws_done: int
    draws_expected: int
    images_per_second: float | None
    eta_seconds: float | None


class SweepView(BaseModel):
    """What a job sweeps over. A run is a soup under a noise level; each certifies the same images."""

    ingredients: list[str]
    units: int = Field(description="Steps of one whole")
    soups: int
    ensemble: bool
    sigmas: list[float]
    images: int
    threats: list[str]
    top_k: int
    calibrated: bool = Field(description="Whether batch-norm statistics are estimated anew")
    runs_total: int
    runs_done: int


class JobView(BaseModel):
    """A job and where it stands."""

    id: str = Field(examples=["job_01jd3v9w7yxk8c2m4n6p8q0r2s"])
    status: JobStatus
    created_at: datetime
    finished_at: datetime | None
    certification: dict[str, Any]
    dataset: str | None
    labelled: bool
    tags: list[str]
    max_radius: float = Field(description="The largest radius these settings can certify, in input units")
    sweep: SweepView | None = Field(description="Where the job sweeps over soups: over which; or None")
    progress: Progress
    error: dict[str, Any] | None
    links: dict[str, str]


class FinishedJob(JobView):
    """A job that ended while its sender waited, with its certificates."""

    certificates: list[dict[str, Any]]


class UploadView(BaseModel):
    """A stored file."""

    id: str = Field(description="What a job names as `upload`")
    bytes: int
    sha256: str
    expires_at: datetime


class LimitsView(BaseModel):
    """What one request may ask for."""

    max_body_bytes: int
    max_options_bytes: int = Field(description="Of JSON, or of the part `request`")
    max_upload_bytes: int = Field(description="Of all uploads that an owner holds at a time")
    max_images: int
    max_draws: int
    max_draws_per_day: int | None
    max_unfinished_jobs: int
    max_wait_seconds: int
    expire_days: float | None


class SweepRun(BaseModel):
    """One run of a sweep."""

    run: int = Field(description="Its number, by which its certificates are asked for")
    name: str
    weights: list[int] | None = Field(description="In steps; None for the ensemble")
    sigma: float
    images_done: int
    done: bool
    refused: str | None = Field(description="Why the soup is no network, where that is so")


class SweepRuns(BaseModel):
    """A sweep: its question, which determines every count, and its runs."""

    job_id: str
    question: dict[str, Any]
    runs: list[SweepRun]


class JobPage(BaseModel):
    """Some jobs, newest first."""

    jobs: list[JobView]
    next_page_token: str | None


class CertificatePage(BaseModel):
    """Certificates of the images finished so far, in the order of the job's images."""

    job_id: str
    images_requested: int
    images_finished: int
    certificates: list[dict[str, Any]]
    next_page_token: str | None


class ProspectView(BaseModel):
    """What a budget of draws would prove of an image if its share of votes stayed as it is."""

    draws: int
    radius: float


class ImageView(BaseModel):
    """One image: what was counted, what that proves, and what more draws might."""

    job_id: str
    certificate: dict[str, Any]
    prospects: list[ProspectView] | None = Field(
        description="No certificates: the share of votes is taken to stay. None where counts do not say"
    )
    least_draws: int | None = Field(description="About what a certificate would take, on the same assumption")


class WorkerView(BaseModel):
    """A live worker."""

    id: str
    device: str
    version: str | None
    started_at: datetime
    seen_at: datetime
    busy: bool
    job_id: str | None = Field(description="What it has in hand; None also where that is another owner's")
    shard: int | None


class QueueView(BaseModel):
    """What waits in one queue; the rest of a job waits in storage."""

    name: str
    waiting: int
    oldest_age_seconds: float


class WorkersView(BaseModel):
    """The workforce and its queues."""

    workers: list[WorkerView]
    queues: list[QueueView]


class EstimateView(BaseModel):
    """What a job can cost and reach, before anything is spent."""

    num_images: int
    draws_at_most: int
    draws_per_second: float | None = Field(description="Measured on this service; None before the first job")
    seconds_at_most: float | None
    largest_radius: float = Field(description="In input units; no image can get a larger one")
    norm: str
    plan: dict[str, Any]


class SweepEstimateView(BaseModel):
    """What a sweep over soups can cost and reach, before anything is spent."""

    soups: int = Field(description="Of the grid, without the ensemble")
    runs: int = Field(description="A soup, or the ensemble, under a noise level each")
    num_images: int = Field(description="Certified by every run")
    draws_at_most: int
    draws_per_second: float | None = Field(
        description="Of the first ingredient, measured on this service; None before its first job"
    )
    seconds_at_most: float | None
    largest_radius: float = Field(description="In input units, over the noise levels")
    norm: str


class ModelView(BaseModel):
    """A registered model."""

    name: str
    reference: str = Field(description="name@sha256, which jobs pin")
    description: str
    architecture: str
    input_shape: tuple[int, int, int]
    num_classes: int
    training_sigma: float | None
    mixture: dict[str, Any] | None = Field(description="Of what the model is a mixture, and how; or None")
    soup: dict[str, Any] | None = Field(description="Of what the model is an average, and how; or None")
    ensemble: list[str] | None = Field(description="Of which models it averages the probabilities; or None")


class ModelList(BaseModel):
    """All registered models."""

    models: list[ModelView]


class DatasetView(BaseModel):
    """A data set that jobs can name."""

    name: str
    description: str


class DatasetList(BaseModel):
    """All registered data sets."""

    datasets: list[DatasetView]


class Health(BaseModel):
    """Whether a part of the service answers."""

    status: str
    detail: str | None = None
