"""What is registered about a mixture: two registered models, and how they are mixed."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from certd.models.mixing import Mixing
from certd.models.specification import Size

MIXTURE: Literal["mixture"] = "mixture"


class MixtureSpecification(BaseModel):
    """A registry entry that names two others.

    Attributes:
        name: Short name, unique in the registry.
        mixture: Which models, pinned by their digests, and how they are mixed.
        uri: File of the mixing network, relative to the registry; None where the weight is constant.
        input_shape: Channel, height and width of one image, of both models.
        num_classes: Number of classes of both.
        training_sigma: Noise level of the robust model's training.
        description: One line for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    mixture: Mixing
    uri: str | None = None
    input_shape: tuple[Size, Size, Size]
    num_classes: Annotated[int, Field(ge=2)]
    training_sigma: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    description: str = ""

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        if (self.uri is None) != (self.mixture.network is None):
            raise ValueError("the file of a mixing network and its digest go together")
        if self.num_classes != self.mixture.num_classes:
            raise ValueError("the mixture has another number of classes than its entry")
        return self

    @property
    def architecture(self) -> Literal["mixture"]:
        """Return ``mixture``, where other entries name a network."""
        return MIXTURE

    @property
    def digest(self) -> str:
        """Return the SHA-256 of everything that determines the mixture, its two models included."""
        return self.mixture.digest

    @property
    def reference(self) -> str:
        """Return ``name@sha256:digest``, by which a job pins the mixture."""
        return f"{self.name}@sha256:{self.digest}"
