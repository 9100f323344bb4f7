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
MOST_PERMUTED = 1024
"""Classes among which a permutation is looked for: those of ImageNet, and a few more."""


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
    moves, times = np.unique((predictions - labels) % num_classes, return_counts=True)
    shift, shifted = int(moves[times.argmax()]), float(times.max() / len(labels))
    class_of, permuted = _permutation(predictions, labels % num_classes)
    if near_chance(max(shifted, permuted), num_classes):
        return None
    if shifted >= permuted - CLEARLY:
        signed = shift if shift <= num_classes // 2 else shift - num_classes
        return f"Labels look shifted: label {signed:+d} agrees with {shifted:.0%} of predictions."
    moved = [pair for pair in class_of.items() if pair[0] != pair[1]][:NAMED_IN_A_WARNING]
    pairs = ", ".join(f"{label} is class {other}" for label, other in moved)
    return (
        f"Labels look permuted: another numbering agrees with {permuted:.0%} of predictions (label {pairs})."
    )


def _permutation(predictions: NDArray[np.int64], labels: NDArray[np.int64]) -> tuple[dict[int, int], float]:
    """Return the class of each label under the permutation that fits every second image, and its agreement.

    The agreement is with the predictions of the other images. Only classes that occur take part; of too many,
    which would cost the square of their number, none is tried.
    """
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - slow to import

    occurring, places = np.unique(np.concatenate([predictions, labels]), return_inverse=True)
    predicted, labelled = np.split(places, 2)
    if len(occurring) > MOST_PERMUTED or len(labels) < 2:
        return {}, 0.0
    confusion = np.zeros((len(occurring), len(occurring)), dtype=np.int64)
    np.add.at(confusion, (labelled[::2], predicted[::2]), 1)
    class_of = linear_sum_assignment(confusion, maximize=True)[1]
    agreement = float(np.mean(class_of[labelled[1::2]] == predicted[1::2]))
    seen = np.unique(labelled[::2])
    return dict(zip(occurring[seen].tolist(), occurring[class_of[seen]].tolist(), strict=True)), agreement
