"""Notice labels that do not mean what the classifier's outputs mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

GUESSING = 0.1
"""Part of the way from guessing to perfection below which a classifier counts as guessing."""
CLEARLY = 0.1
"""How much better a permutation must agree than a shift, which is the simpler explanation."""
NAMED_IN_A_WARNING = 3


def near_chance(accuracy: float, num_classes: int) -> bool:
    """Return whether ``accuracy`` is hardly better than guessing one of ``num_classes`` classes."""
    chance = 1 / num_classes
    return accuracy <= chance + GUESSING * (1 - chance)


def misaligned_labels(
    predictions: NDArray[np.integer], labels: NDArray[np.integer], num_classes: int
) -> str | None:
    """Return a warning if the labels fit badly as they are and well under another numbering.

    Tried are shifts, such as labels that count from one, and permutations. A permutation is fitted on every
    second image and judged on the others, so that a good fit is no accident of many classes.

    Args:
        predictions: Classes given by the base classifier without noise, int[image].
        labels: Labels of the same images, int[image], at least 0; those beyond the last class are wrong.
        num_classes: Classes of the classifier, at least 2.

    Returns:
        One sentence for people; None where the labels fit, or where no other numbering explains them.
    """
    if not near_chance(float(np.mean(predictions == labels)), num_classes):
        return None
    return _renumbered(predictions.astype(np.int64), labels.astype(np.int64), num_classes)


def _renumbered(predictions: NDArray[np.int64], labels: NDArray[np.int64], num_classes: int) -> str | None:
    shift = np.bincount((predictions - labels) % num_classes, minlength=num_classes).argmax()
    shifted = _agreement((np.arange(num_classes) + shift) % num_classes, predictions, labels)
    class_of = _best_permutation(predictions[::2], labels[::2], num_classes)
    permuted = _agreement(class_of, predictions[1::2], labels[1::2])
    if near_chance(max(shifted, permuted), num_classes):
        return None
    if shifted >= permuted - CLEARLY:
        signed = shift if shift <= num_classes // 2 else shift - num_classes
        return f"Labels look shifted: label {signed:+d} agrees with {shifted:.0%} of predictions."
    moved = [label for label in range(num_classes) if class_of[label] != label][:NAMED_IN_A_WARNING]
    pairs = ", ".join(f"{label} is class {class_of[label]}" for label in moved)
    return (
        f"Labels look permuted: another numbering agrees with {permuted:.0%} of predictions (label {pairs})."
    )


def _agreement(
    class_of: NDArray[np.int64], predictions: NDArray[np.int64], labels: NDArray[np.int64]
) -> float:
    return float(np.mean(class_of[labels % len(class_of)] == predictions)) if len(labels) else 0.0


def _best_permutation(
    predictions: NDArray[np.int64], labels: NDArray[np.int64], num_classes: int
) -> NDArray[np.int64]:
    """Return the class of each label under the permutation that agrees with most predictions."""
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - slow to import

    confusion = np.zeros((num_classes, num_classes), dtype=np.int64)
    np.add.at(confusion, (labels % num_classes, predictions), 1)
    class_of: NDArray[np.int64] = linear_sum_assignment(confusion, maximize=True)[1]
    return class_of
