"""What is registered about an ensemble: which registered models answer together. Needs no torch."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from certd.models.mixing import Reference
from certd.models.soup_specification import ENSEMBLE, MOST_INGREDIENTS
from certd.models.specification import Size

if TYPE_CHECKING:
    from collections.abc import Sequence


class EnsembleSpecification(BaseModel):
    """A registry entry that averages the probabilities of others.

    Attributes:
        name: Short name, unique in the registry.
        ensemble: The members, pinned by their digests.
        input_shape: Channel, height and width of one image, of every member.
        num_classes: Number of logits of every member.
        training_sigma: Noise level of training, where all members share one.
        description: One line for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    ensemble: tuple[Reference, ...] = Field(min_length=2, max_length=MOST_INGREDIENTS)
    input_shape: tuple[Size, Size, Size]
    num_classes: Annotated[int, Field(ge=2)]
    training_sigma: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    description: str = ""

    @property
    def architecture(self) -> Literal["ensemble"]:
        """Return ``ensemble``, where other entries name a network."""
        return ENSEMBLE

    @property
    def uri(self) -> None:
        """Return None, where other entries name a file: an ensemble has none of its own."""
        return

    @property
    def digest(self) -> str:
        """Return the SHA-256 of everything that determines the ensemble: its members, in order."""
        return ensemble_digest([each.rpartition(":")[2] for each in self.ensemble])

    @property
    def reference(self) -> str:
        """Return ``name@sha256:digest``, by which a job pins the ensemble."""
        return f"{self.name}@sha256:{self.digest}"


def ensemble_digest(digests: Sequence[str]) -> str:
    """Return the digest of the ensemble of models with these digests, wherever it is made."""
    return hashlib.sha256(" ".join([ENSEMBLE, *digests]).encode()).hexdigest()
