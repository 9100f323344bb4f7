"""How a network is trained: what determines its weights, beside its data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]


class TrainingSettings(BaseModel):
    """Settings of one training run; equal settings, data and software give equal weights on one thread.

    Attributes:
        epochs: Passes over the data.
        batch_size: Noisy copies a step: with m draws an image, a step takes ``batch_size // m`` images.
        learning_rate: Of SGD at the start.
        momentum: Of SGD.
        nesterov: Whether the momentum is Nesterov's.
        weight_decay: L2 penalty.
        schedule: ``cosine`` falls to 0 over the epochs; ``step`` falls tenfold after each third of them;
            ``constant`` stays.
        augment: ``crop-flip`` pads by an eighth, crops at random and flips half of the images.
        seed: Of the first weights, of the order of images, and of the noise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: Count = 20
    batch_size: Count = 128
    learning_rate: Rate = 0.05
    momentum: Share = 0.9
    nesterov: bool = True
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 5e-4
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    augment: Literal["none", "crop-flip"] = "none"
    seed: Annotated[int, Field(ge=0, lt=1 << 53)] = 0
