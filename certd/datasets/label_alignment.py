"""Notice labels that do not mean what the classifier's outputs mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

if TYPE_CHECKING:
    from numpy.typing import NDArray

GUESSING = 0.1
"""Part of the way from guessing to perfection below which a classifier counts as guessing."""
NAMED_IN_A_WARNING = 3


def near_chance(accuracy: float, num_classes: int) -> bool:
    """Return whether ``accuracy`` is hardly better than guessing one of ``num_classes`` classes."""
    chance = 1 / num_classes
    return accuracy <= chance + GUESSING * (1 - chance)


def misaligned_labels(
    predictions: NDArray[np.int64], labels: NDArray[np.int64], num_classes: int
) -> str | None:
    """Return a warning if the labels fit badly as they are and well under another numbering.

    A shift is tried first, such as labels that count from one; then any permutation, which is fitted on every
    second image and judged on the others, so that a good fit is no accident of many classes.

    Args:
        predictions: Classes given by the base classifier without noise, int64[image].
        labels: Labels of the same images, int64[image], at least 0; those beyond the last class are wrong.
        num_classes: Classes of the classifier, at least 2.

    Returns:
        One sentence for people; None where the labels fit, or where no other numbering explains them.
    """
    if not near_chance(float(np.mean(predictions == labels)), num_classes):
        return None
    shift = _best_shift(predictions, labels, num_classes)
    shifted = float(np.mean((labels + shift) % num_classes == predictions))
    if not near_chance(shifted, num_classes):
        signed = shift if shift <= num_classes // 2 else shift - num_classes
        return f"Labels look shifted: label + {signed} agrees with {shifted:.0%} of predictions."
    return _permutation_warning(predictions, labels % num_classes, num_classes)


def _best_shift(predictions: NDArray[np.int64], labels: NDArray[np.int64], num_classes: int) -> int:
    return int(np.bincount((predictions - labels) % num_classes, minlength=num_classes).argmax())


def _permutation_warning(
    predictions: NDArray[np.int64], labels: NDArray[np.int64], num_classes: int
) -> str | None:
    confusion = np.zeros((num_classes, num_classes), dtype=np.int64)
    np.add.at(confusion, (labels[::2], predictions[::2]), 1)
    _, class_of = linear_sum_assignment(confusion, maximize=True)
    agreement = float(np.mean(class_of[labels[1::2]] == predictions[1::2])) if len(labels) > 1 else 0.0
    if near_chance(agreement, num_classes):
        return None
    moved = [label for label in np.unique(labels) if class_of[label] != label][:NAMED_IN_A_WARNING]
    pairs = ", ".join(f"{label} is class {class_of[label]}" for label in moved)
    return (
        f"Labels look permuted: another numbering agrees with {agreement:.0%} of predictions (label {pairs})."
    )
