"""The settings of a process: read once in its main, from the environment, and passed on as values."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from certd.errors import InvalidParameter

PREFIX = "CERTD_"
# Read by the tests alone.
_NOT_SETTINGS = frozenset({"CERTD_TEST_DATA"})


class Settings(BaseSettings):
    """Where things are and what they may cost. What a certificate means is never a setting."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    data_dir: Path = Field(
        default=Path(".certd"), description="Folder of the jobs and of the embedded server"
    )
    storage: str | None = Field(
        default=None,
        description="Where jobs and uploads lie: a folder or s3://bucket/prefix; None: the data folder",
    )
    redis_url: str | None = Field(
        default=None, repr=False, description="redis:// or unix:// URL; None for the embedded server"
    )
    models: Path | None = Field(default=None, description="The operator's models.yaml, beside the built-ins")
    datasets: Path | None = Field(default=None, description="The operator's datasets.yaml")
    keys: Path | None = Field(default=None, description="File of the bearer keys; None: in the data folder")
    key: SecretStr | None = Field(default=None, description="Bearer key that the command line shows a server")
    host: str = Field(default="127.0.0.1", description="Address the API binds")
    port: int = Field(default=8000, ge=0, le=65535, description="Port the API binds; 0 picks a free one")
    max_body_bytes: int = Field(default=256 * 2**20, ge=1, description="Largest request body")
    max_upload_bytes: int = Field(
        default=10 * 2**30, ge=1, description="Most bytes of uploads that an owner of keys may hold at a time"
    )
    max_images: int = Field(default=50_000, ge=1, description="Most images in one job")
    max_draws: int = Field(default=10**11, ge=1, description="Most noise draws in one job")
    max_draws_per_day: int | None = Field(
        default=None, ge=1, description="Most noise draws an owner of keys may ask for in a day of UTC"
    )
    max_unfinished_jobs: int = Field(
        default=10_000, ge=1, description="Unfinished jobs beyond which one more is answered 503"
    )
    worker_metrics_port: int = Field(
        default=0, ge=0, le=65535, description="First loopback port of the workers' metrics; 0 serves none"
    )
    expire_days: float | None = Field(
        default=None, gt=0, description="Days after its end when a job is deleted; None keeps all"
    )
    heartbeat_seconds: float = Field(
        default=30.0, gt=0, description="Silence after which a worker counts as dead"
    )
    reconcile_seconds: float = Field(
        default=5.0, gt=0, description="Pause between two rounds of the reconciler"
    )
    idle_milliseconds: int | None = Field(
        default=None,
        ge=1,
        description="Pause of an idle worker between two looks for work; None: 20 at a unix socket, else 100",
    )
    shard_seconds: float = Field(default=3.0, gt=0, description="How long one shard should take")
    max_attempts: int = Field(default=5, ge=1, description="Attempts at one shard before its job fails")
    threads: int = Field(default=1, ge=1, description="Threads of one worker process")
    device: str = Field(default="cpu", description="Torch device of a worker")

    @property
    def store(self) -> str:
        """Return where jobs and uploads lie, for :func:`certd.storage.open_store`."""
        place = self.storage or str(self.data_dir)
        return place if "://" in place else str(Path(place).resolve())

    @property
    def key_file(self) -> Path:
        """Return where the bearer keys are kept."""
        return self.keys or self.data_dir / "keys.json"


def load_settings() -> Settings:
    """Read the settings of this process from its environment.

    Raises:
        InvalidParameter: If a CERTD_ variable has no such setting (a misspelt one must not become a default)
            or a value is outside its domain.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields} | _NOT_SETTINGS
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise InvalidParameter(
            f"There is no setting {', '.join(unknown)}. "
            f"Settings are {', '.join(sorted(known - _NOT_SETTINGS))}."
        )
    try:
        return Settings()
    except ValueError as error:
        raise InvalidParameter(f"A setting is outside its domain: {error}") from None
