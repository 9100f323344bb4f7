"""Which certificates of a job a reader wants to see."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from certd.smoothing.certificate import Certificate

Outcome = Literal["certified", "abstained", "right", "wrong"]


class CertificateFilter(BaseModel):
    """Conditions on one image; all of them must hold.

    Attributes:
        outcome: ``certified`` for any class, ``right`` or ``wrong`` by the label, or ``abstained``.
        radius_from: Least radius, input units.
        radius_to: Largest radius, input units.
        label: The true class.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Outcome | None = None
    radius_from: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    radius_to: float = Field(default=math.inf, ge=0)
    label: int | None = Field(default=None, ge=0, lt=1 << 31)

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> Self:
        if self.radius_from > self.radius_to:
            raise ValueError("radius_from must not be above radius_to")
        return self

    @property
    def active(self) -> bool:
        """Return whether anything is filtered."""
        return self != CertificateFilter()

    def wants(self, certificate: Certificate) -> bool:
        """Return whether an image meets every condition."""
        radius = certificate.conclusion.radius
        return (
            self.radius_from <= radius <= self.radius_to
            and (self.label is None or self.label == certificate.record.label)
            and (self.outcome is None or _meets(certificate, self.outcome))
        )


def _meets(certificate: Certificate, outcome: Outcome) -> bool:
    abstained = certificate.conclusion.abstained
    if outcome == "abstained":
        return abstained
    if outcome == "certified":
        return not abstained
    return not abstained and certificate.correct is (outcome == "right")
