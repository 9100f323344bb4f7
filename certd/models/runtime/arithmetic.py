"""How a base classifier is asked to run, and how it did run: a part of a certificate. Needs no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Dtype = Literal["float32", "bfloat16"]
AskedDtype = Literal["float32", "bfloat16", "checked"]


class ExecutionArithmetic(BaseModel):
    """How a base classifier is to be executed.

    Rounding differs between any two of these, so each names another base classifier: a certificate holds for
    the one that drew its counts.

    Attributes:
        dtype: Type of weights and activations. ``checked`` certifies the float32 classifier from the votes
            of the bfloat16 one and a bound on how often the two differ.
        fold: Fold normalisation and batch-norms into the layers beside them, where that is exact.
        channels_last: Lay images out with the channels innermost, where that is faster: in deep networks,
            and in any that is compiled or runs in bfloat16.
        compiled: Compile; ``auto`` where ``certd.models.runtime.compilation.worth_compiling`` says so.
        tf32: Let CUDA round the factors of float32 products to 10 bits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dtype: AskedDtype = "float32"
    fold: bool = True
    channels_last: bool = True
    compiled: bool | Literal["auto"] = False
    tf32: bool = False


class Execution(BaseModel):
    """How a base classifier was executed; two equal records on one model round alike.

    Attributes:
        device: A torch device name.
        processor: The accelerator's name, or the instruction set that the processor's kernels use.
        dtype: Type of weights and activations.
        voted_in: The type in which votes were cast for this execution, if another one.
        normalisation_folded: Whether the first layer holds the division by 255 and by the scale.
        batch_norms_folded: Batch-norms that the layer before them took in.
        batch_norms_left: Batch-norms that run as they are.
        convolutions_fused: Convolutions that end with bias, shortcut and ReLU in one kernel of cuDNN.
        convolutions_widened: Those of them that see several pixels as one, and sum zeros beside their terms.
        channels_last: Whether channels are innermost.
        compiled: Whether torch's compiler made the kernels.
        tf32: Whether CUDA may round the factors of float32 products to 10 bits.
        deterministic: Whether torch refuses algorithms whose result depends on timing.
        batch_size: Rows of every forward pass.
        threads: Threads that share one operation on the processor.
        torch: Version of torch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str
    processor: str
    dtype: Dtype
    voted_in: Dtype | None = None
    normalisation_folded: bool
    batch_norms_folded: int = Field(ge=0)
    batch_norms_left: int = Field(ge=0)
    convolutions_fused: int = Field(default=0, ge=0)
    convolutions_widened: int = Field(default=0, ge=0)
    channels_last: bool
    compiled: bool
    tf32: bool
    deterministic: bool
    batch_size: int = Field(ge=1)
    threads: int = Field(ge=1)
    torch: str
