"""Which classifier a run of a sweep certifies, as its first worker made it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from certd.models.runtime.arithmetic import Execution


class Begun(BaseModel):
    """A run that has begun: all its shards certify this classifier, executed like this."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    execution: Execution
