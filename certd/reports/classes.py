"""The same numbers class by class: an average over classes hides the class that is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from certd.errors import ShapeMismatch

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class of a run.

    Attributes:
        label: Index of the class.
        images: How many images have this label.
        median_share: Median of k/n of the label, rounded down to that of an actual image.
        hard: Images whose label has no more than half of the draws.
        certified_accuracy: Share certified for the label at radius 0.
        average_radius: The class's own ACR, input units.
        radius_share: Part of the run's summed radius that this class earns, in [0, 1].
    """

    label: int
    images: int
    median_share: float
    hard: int
    certified_accuracy: float
    average_radius: float
    radius_share: float


@dataclass(frozen=True, slots=True)
class HardImages:
    """Images that crossed p_y = 1/2 between a baseline and another run.

    Attributes:
        label: Index of the class.
        lost: Above one half in the baseline, at or below it now.
        gained: The other way about.
    """

    label: int
    lost: int
    gained: int


def by_class(
    labels: NDArray[np.int64],
    label_counts: NDArray[np.int64],
    draws: NDArray[np.int64],
    credited: NDArray[np.float64],
) -> tuple[ClassRow, ...]:
    """Return one row a class that has images, in the order of the classes.

    Args:
        labels: int64[image].
        label_counts: Draws for the label, int64[image].
        draws: Draws, int64[image].
        credited: Radius where certified for the label, 0 elsewhere, float64[image].
    """
    total = float(credited.sum())
    return tuple(
        _class_row(
            int(label),
            label_counts[labels == label],
            draws[labels == label],
            credited[labels == label],
            total,
        )
        for label in np.unique(labels)
    )


def hard_images_lost(
    labels: NDArray[np.int64], baseline: NDArray[np.bool_], present: NDArray[np.bool_]
) -> tuple[HardImages, ...]:
    """Count the images that the label's probability crossing one half lost or gained, by class.

    A method can raise ACR while it gives up hard images; this counts them.

    Args:
        labels: int64[image], the same images in both runs.
        baseline: Whether the label had more than half of the draws in the baseline, bool[image].
        present: The same in the run that is compared.

    Raises:
        ShapeMismatch: If the runs are not over the same images.
    """
    if not len(labels) == len(baseline) == len(present):
        raise ShapeMismatch("Both runs must hold the same images, in the same order.")
    return tuple(
        HardImages(
            int(c),
            int((baseline & ~present)[labels == c].sum()),
            int((present & ~baseline)[labels == c].sum()),
        )
        for c in np.unique(labels)
    )


def _class_row(
    label: int,
    counts: NDArray[np.int64],
    draws: NDArray[np.int64],
    credited: NDArray[np.float64],
    total: float,
) -> ClassRow:
    return ClassRow(
        label=label,
        images=len(counts),
        median_share=float(np.quantile(counts / draws, 0.5, method="lower")),
        hard=int((2 * counts <= draws).sum()),
        certified_accuracy=float((credited > 0).mean()),
        average_radius=float(credited.mean()),
        radius_share=float(credited.sum()) / total if total else 0.0,
    )
