"""The same numbers class by class: an average over classes hides the class that is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from certd.errors import ShapeMismatch
from certd.reports.weighted import count, lower_quantiles, mean, size, total

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from certd.reports.weighted import Weights


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


def by_class(  # noqa: PLR0913, PLR0917 - two columns of counts, one of radii, and how often each row counts
    labels: NDArray[np.int64],
    label_counts: NDArray[np.int64],
    draws: NDArray[np.int64],
    reached: NDArray[np.float64],
    weights: Weights = None,
    label_weights: Weights = None,
) -> tuple[ClassRow, ...]:
    """Return one row a class that has images, in the order of the classes.

    Args:
        labels: int64[image].
        label_counts: Draws for the label, int64[image].
        draws: Draws, int64[image].
        reached: Radius where certified for the label, minus infinity elsewhere, float64[image].
        weights: Images whose radius an entry stands for, int64[image]; None for one each.
        label_weights: Images whose count for the label it stands for, int64[image]; None for one each.
    """
    shares, earned = label_counts / draws, total(np.maximum(reached, 0.0), weights)
    return tuple(
        _class_row(
            int(label),
            (shares[chosen], _chosen(label_weights, chosen)),
            (reached[chosen], _chosen(weights, chosen)),
            earned,
        )
        for label in np.unique(labels)
        for chosen in [labels == label]
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


def _chosen(weights: Weights, chosen: NDArray[np.bool_]) -> Weights:
    return None if weights is None else weights[chosen]


def _class_row(
    label: int,
    label_shares: tuple[NDArray[np.float64], Weights],
    reached: tuple[NDArray[np.float64], Weights],
    earned: float,
) -> ClassRow:
    shares, _ = label_shares
    reach, weights = reached
    radii = np.maximum(reach, 0.0)
    return ClassRow(
        label=label,
        images=size(radii, weights),
        median_share=float(lower_quantiles(shares, [0.5], label_shares[1])[0]),
        hard=count(shares <= 0.5, label_shares[1]),
        certified_accuracy=mean(reach >= 0, weights),
        average_radius=mean(radii, weights),
        radius_share=total(radii, weights) / earned if earned else 0.0,
    )
