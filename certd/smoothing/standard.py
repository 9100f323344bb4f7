"""What is observed of a mixture's standard classifier: its output on the clean image, once an image."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StandardOutput:
    """What the standard classifier says of the clean image, beside the votes of the robust one.

    Attributes:
        logits: Of g, one a class, before any scale.
        weight: What the mixing network chose for this image; None where the weight is constant.
    """

    logits: tuple[float, ...]
    weight: float | None = None
