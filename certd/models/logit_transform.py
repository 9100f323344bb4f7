"""A transform of a robust classifier's logits that makes its margin small where it errs: MixedNUTS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    import torch

    from certd.models.mixing import Mixing, Transform


def transformed(logits: torch.Tensor, transform: Transform) -> torch.Tensor:
    """Return ``s |z|^p sgn(z)`` of ``z = GELU(LN(logits) + c)``; LN normalises the logits of one image.

    Classes that the clamp leaves apart keep their order; what changes is how sure the classifier is, and with
    it how a mixture weighs it.

    Args:
        logits: float[image, class].
        transform: Scale s, power p and shift c.

    References:
        Bai, Zhou, Patel and Sojoudi (2024), MixedNUTS, arXiv:2402.02263, section 4.
    """
    normal = functional.layer_norm(logits, logits.shape[1:])
    clamped = functional.gelu(normal + transform.shift)
    return transform.scale * clamped.abs().pow(transform.power) * clamped.sign()


def robust_logits(logits: torch.Tensor, mixing: Mixing) -> torch.Tensor:
    """Return the robust classifier's logits as the mixture takes them: transformed, or scaled."""
    if mixing.robust_transform is not None:
        return transformed(logits, mixing.robust_transform)
    return mixing.robust_scale * logits
