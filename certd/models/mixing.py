"""How two classifiers are mixed: everything that determines the mixture, besides their weights."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Product = Literal["smooth-then-mix", "mix-then-smooth"]
Reference = Annotated[str, Field(pattern=r"^[^@\s]+@sha256:[0-9a-f]{64}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
# Mixed logits are logarithms; a larger scale makes a probability 0 that is none.
Scale = Annotated[float, Field(gt=0, le=1e4, allow_inf_nan=False)]

LEAST_WEIGHT = 0.5


class Transform(BaseModel):
    """MixedNUTS' transform of the robust logits; see :func:`certd.models.logit_transform.transformed`.

    Attributes:
        scale: s, positive.
        power: p, positive; above 1 it spreads large margins from small ones.
        shift: c, added before the clamp.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: Scale
    power: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]
    shift: Annotated[float, Field(ge=-100, le=100)] = 0.0


class Mixing(BaseModel):
    """A mixture ``(1 - a) g + a h`` of a standard classifier g with a robust one h, both in probabilities.

    Two products go by that name. ``smooth-then-mix``: h is smoothed, by votes over noisy copies, and mixed
    with what g says of the clean image; its certificate is a theorem about h alone. ``mix-then-smooth``: the
    mixture is a base classifier, and an ordinary certificate is about its smoothing.

    Attributes:
        product: Which of the two.
        standard: g, as ``name@sha256:digest``.
        robust: h, as ``name@sha256:digest``.
        weight: The share a of h; where a network chooses it, the least that it can choose.
        highest_weight: The greatest that a network can choose; None where the weight is constant.
        network: SHA-256 of the mixing network's file; None where the weight is constant.
        standard_scale: Multiplies the logits of g before the softmax.
        robust_scale: Multiplies the logits of h; hard votes do not depend on it.
        robust_transform: Transforms the logits of h, in place of a scale; soft votes and mix-then-smooth
            depend on it.
        num_classes: Of both.

    References:
        Bai, Anderson, Kim and Sojoudi (2023), Adaptive smoothing, arXiv:2301.12554.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    product: Product
    standard: Reference
    robust: Reference
    weight: Annotated[float, Field(ge=0, le=1)]
    highest_weight: Annotated[float, Field(ge=0, le=1)] | None = None
    network: Sha256 | None = None
    standard_scale: Scale = 1.0
    robust_scale: Scale = 1.0
    robust_transform: Transform | None = None
    num_classes: Annotated[int, Field(ge=2)]

    @model_validator(mode="after")
    def _range_is_whole(self) -> Self:
        if (self.highest_weight is None) != (self.network is None):
            raise ValueError("a mixing network and the highest weight that it can choose go together")
        if self.highest_weight is not None and self.highest_weight < self.weight:
            raise ValueError("the highest weight is below the least one")
        if self.robust_transform is not None and self.robust_scale != 1:
            raise ValueError("a transform has its own scale: leave robust_scale out")
        if self.product == "smooth-then-mix" and self.weight < LEAST_WEIGHT:
            raise ValueError(
                "smooth-then-mix needs a weight of at least 0.5: below it g alone can decide, and nothing is "
                "proved; raise it, or ask for mix-then-smooth"
            )
        return self

    @property
    def digest(self) -> str:
        """Return the SHA-256 of what determines the mixture; of both classifiers, their digests alone do."""
        pins = {name: getattr(self, name).rpartition(":")[2] for name in ("standard", "robust")}
        return hashlib.sha256(self.model_copy(update=pins).model_dump_json().encode()).hexdigest()

    @property
    def adaptive(self) -> bool:
        """Return whether the weight depends on the image."""
        return self.network is not None

    @property
    def title(self) -> str:
        """Say which product this is and with which weight, in a few words."""
        high = "" if self.highest_weight is None else f" to {self.highest_weight:g}"
        return f"{self.product}, weight {self.weight:g}{high}"

    @property
    def sentence(self) -> str:
        """Say which product this is, of what, with which weight."""
        share = f"{self.weight:g}"
        if self.highest_weight is not None:
            share = f"between {self.weight:g} and {self.highest_weight:g}, chosen by a network for each image"
        standard, robust = (each.partition("@")[0] for each in (self.standard, self.robust))
        order = {
            "smooth-then-mix": f"{robust}, smoothed, mixed with {standard} on the clean image",
            "mix-then-smooth": f"{robust} mixed with {standard}, and the mixture smoothed",
        }
        return f"{self.product}: {order[self.product]}; weight of {robust} {share}"
