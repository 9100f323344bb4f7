"""What is registered about a model: enough to rebuild its classifier and to notice that it changed."""

from __future__ import annotations

import hashlib
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Size = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class ModelSpecification(BaseModel):
    """A registry entry.

    Attributes:
        name: Short name, unique in the registry.
        architecture: Key of ``certd.models.architectures.ARCHITECTURES``; or ``torchvision:name``,
            ``timm:name``, ``robustbench:name``, ``hf:`` and the digest of a ``config.json``, or ``onnx``.
        uri: File of weights, relative to the registry that names it.
        sha256: Digest of that file, in lower-case hexadecimal; checked on every load.
        input_shape: Channel, height and width of one image.
        num_classes: Number of logits, at least 2.
        mean: Subtracted from each channel inside the classifier, for pixels in ``[0, 1]``.
        std: Divides each channel after that; positive.
        training_sigma: Noise level of training, in ``[0, 1]`` pixel units; 0 for none, None for unknown.
        description: One line for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    architecture: str
    uri: str
    sha256: Sha256
    input_shape: tuple[Size, Size, Size]
    num_classes: Annotated[int, Field(ge=2)]
    mean: tuple[Finite, ...]
    std: tuple[Positive, ...]
    training_sigma: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    description: str = ""

    @model_validator(mode="after")
    def _one_value_a_channel(self) -> Self:
        if not len(self.mean) == len(self.std) == self.input_shape[0]:
            raise ValueError(
                f"mean and std need one value for each of {self.input_shape[0]} channels, "
                f"not {len(self.mean)} and {len(self.std)}"
            )
        return self

    @property
    def digest(self) -> str:
        """Return the SHA-256 of everything that determines the classifier.

        The digest of the weights alone would not notice another normalisation, which is another classifier.
        """
        function = self.model_dump_json(exclude={"name", "uri", "training_sigma", "description"})
        return hashlib.sha256(function.encode()).hexdigest()

    @property
    def reference(self) -> str:
        """Return ``name@sha256:digest``, by which a job pins the classifier."""
        return f"{self.name}@sha256:{self.digest}"
