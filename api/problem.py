"""What a refusal looks like."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Problem(BaseModel):
    """A problem document (RFC 9457). Further members hold the figures that the sentence speaks of."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(pattern=r"^urn:certd:problem:")
    title: str
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="What is wrong and what to do, for people")
    code: str = Field(description="What is wrong, for programs; it never changes its meaning")
    pointer: str | None = Field(default=None, description="JSON pointer to the option at fault")
