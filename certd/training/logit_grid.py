"""Choose MixedNUTS' transform of the robust logits, and the weight, on a calibration set."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from certd.errors import CannotCertify, InvalidParameter
from certd.models.logit_transform import transformed
from certd.models.mixing import Transform
from certd.statistics.mixtures import least_margin, weight_for_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

SCALES = (0.1, 0.3, 1.0, 2.0, 4.0, 8.0)
POWERS = (1.0, 2.0, 4.0)
SHIFTS = (-1.0, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class ChosenTransform:
    """The best of a grid on a calibration set.

    Attributes:
        transform: Scale, power and shift.
        weight: That keeps the share asked for, by the margins of attacked images.
        overruling: Share of the clean images that h gets wrong on which its margin is too large for g to
            mend: what the grid makes small.
    """

    transform: Transform
    weight: float
    overruling: float


def choose_transform(  # noqa: PLR0913 - calibration, and the grid
    clean_logits: torch.Tensor,
    attacked_logits: torch.Tensor,
    labels: torch.Tensor,
    share: float,
    *,
    scales: Sequence[float] = SCALES,
    powers: Sequence[float] = POWERS,
    shifts: Sequence[float] = SHIFTS,
) -> ChosenTransform:
    """Return the transform with which the robust classifier overrules least where it is wrong.

    For each point of the grid the weight keeps ``share`` of the attacked images that h gets right; then the
    point counts on how many clean images that h gets wrong its margin exceeds ``(1 - a) / a``, where no g can
    correct it. The least wins; of equals the smallest weight, then the first. Only margins of the calibration
    set are read, so nothing here is a certificate.

    Args:
        clean_logits: Of h on clean images, float[image, class].
        attacked_logits: Of h on the same images attacked, or noisy.
        labels: True classes, int64[image].
        share: Of the images right under attack, to be kept, in (0, 1].
        scales: Of the grid.
        powers: Of the grid.
        shifts: Of the grid.

    Raises:
        InvalidParameter: If the logits do not belong together, or the grid is empty.
        CannotCertify: If h is right on no attacked image.

    References:
        Bai, Zhou, Patel and Sojoudi (2024), MixedNUTS, arXiv:2402.02263, section 4.2.
    """
    if clean_logits.shape != attacked_logits.shape or len(labels) != len(clean_logits):
        raise InvalidParameter("Clean and attacked logits are of the same images, with a label each.")
    found = [
        chosen
        for scale, power, shift in product(scales, powers, shifts)
        if (chosen := _try(clean_logits, attacked_logits, labels, share, scale, power, shift)) is not None
    ]
    if not found:
        raise CannotCertify(
            "With no transform of the grid is the robust classifier right on that share of attacked images; "
            "ask for a smaller share, or attack less."
        )
    return min(found, key=lambda one: (one.overruling, one.weight))


def margins(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return how far the label's probability leads every other, float64[image], in [-1, 1]."""
    shares = logits.double().softmax(dim=1)
    own = shares.gather(1, labels[:, None]).squeeze(1)
    others = shares.scatter(1, labels[:, None], -1.0).max(dim=1).values
    return own - others


def _try(  # noqa: PLR0913, PLR0917 - calibration, and one point of the grid
    clean_logits: torch.Tensor,
    attacked_logits: torch.Tensor,
    labels: torch.Tensor,
    share: float,
    scale: float,
    power: float,
    shift: float,
) -> ChosenTransform | None:
    transform = Transform(scale=scale, power=power, shift=shift)
    clean, attacked = (transformed(logits, transform) for logits in (clean_logits, attacked_logits))
    held = margins(attacked, labels)
    kept = held[held > 0]
    try:
        weight = weight_for_share(kept.numpy(), share) if len(kept) else None
    except CannotCertify:
        weight = None
    if weight is None:
        return None
    answers = clean.argmax(dim=1)
    wrong = answers != labels
    sure = margins(clean, answers) > least_margin(weight)
    overruling = float((wrong & sure).sum() / max(int(wrong.sum()), 1))
    return ChosenTransform(transform, weight, overruling)
