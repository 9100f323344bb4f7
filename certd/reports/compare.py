"""Comparison of two runs, refused where the numbers do not mean the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from certd.errors import InvalidParameter
from certd.reports.accuracy import certified_counts
from certd.reports.budget import order_flips
from certd.reports.classes import hard_images_lost
from certd.reports.comparability import require_comparable
from certd.reports.dominance import order_of_curves
from certd.reports.hardness import by_hardness
from certd.reports.pa_distribution import CURVE_GRID, correct_share_curve
from certd.reports.paired import mcnemar_at, paired_difference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from certd.reports.classes import HardImages
    from certd.reports.dominance import Order
    from certd.reports.hardness import HardnessBand
    from certd.reports.paired import McNemar, PairedDifference
    from certd.reports.results import Results

DECLARED_RADII = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs over the same images.

    Attributes:
        marks: Conditions in which the runs differ although the comparison was forced; to be shown beside
            every number. Empty when the runs are comparable.
        shares: Order of the curves S(x).
        accuracy: Order of the curves of certified accuracy.
        averages: ACR of both runs over the images compared.
        average_radius: Paired difference of the credited radii.
        mcnemar: Tests at declared radii, each at its own level.
        flips: Budgets at which the order by expected ACR turns over; None where counts do not say.
        hard_images: Images lost and gained by class, from the first run to the second.
        hardness: The difference of the averages, split by how hard each image was for the first run.
    """

    marks: tuple[str, ...]
    shares: Order
    accuracy: Order
    averages: tuple[float, float]
    average_radius: PairedDifference
    mcnemar: tuple[McNemar, ...]
    flips: tuple[int, ...] | None
    hard_images: tuple[HardImages, ...]
    hardness: tuple[HardnessBand, ...]


def compare(
    first: Results,
    second: Results,
    *,
    force: bool = False,
    radii: Sequence[float] = DECLARED_RADII,
) -> Comparison:
    """Compare two labelled runs; unequal conditions are refused, or marked when forced.

    When images differ, a forced comparison is over those that both runs hold.

    Args:
        first: The one run; baseline of the hard images lost.
        second: The other run.
        force: Compare although conditions differ, and mark the result.
        radii: Radii to test at, input units, declared before either run.

    Raises:
        InvalidParameter: If the conditions differ and ``force`` is not given, a run has no labels, or no
            image is common to both.
    """
    marks = require_comparable((first, second), force=force)
    if first.label_counts is None or second.label_counts is None:
        raise InvalidParameter("Runs are compared by certified accuracy, which needs labels in both.")
    mine, theirs = _common(first, second)
    ours, others = first.credited[mine], second.credited[theirs]
    reached = first.reached[mine], second.reached[theirs]
    return Comparison(
        marks=marks,
        shares=order_of_curves(CURVE_GRID, _curve(first, mine), _curve(second, theirs)),
        accuracy=_order_of_accuracy(*reached),
        averages=(float(ours.mean()), float(others.mean())),
        average_radius=paired_difference(ours, others),
        mcnemar=tuple(mcnemar_at(radius, *reached) for radius in radii),
        flips=_flips(first, second, mine, theirs),
        hard_images=_hard_images(first, second, mine, theirs),
        hardness=by_hardness((first.label_counts / first.draws)[mine], *reached),
    )


def _common(first: Results, second: Results) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    shared, mine, theirs = np.intersect1d(first.image_ids, second.image_ids, return_indices=True)
    if not shared.size:
        raise InvalidParameter("These runs have no image in common, so nothing can be compared.")
    return mine, theirs


def _curve(results: Results, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    return correct_share_curve(results.top_counts[rows], results.draws[rows], results.correct[rows])


def _order_of_accuracy(ours: NDArray[np.float64], others: NDArray[np.float64]) -> Order:
    grid = np.unique(np.concatenate([[0.0], ours[ours > 0], others[others > 0]]))
    curves = [
        certified_counts(radii, radii >= 0, grid.tolist()).astype(np.float64) for radii in (ours, others)
    ]
    return order_of_curves(grid, *curves)


def _flips(
    first: Results, second: Results, mine: NDArray[np.intp], theirs: NDArray[np.intp]
) -> tuple[int, ...] | None:
    if not (first.projectable and second.projectable) or first.alpha != second.alpha:
        return None
    ours, others = first.label_shares, second.label_shares
    assert ours is not None and others is not None  # noqa: S101, PT018 - both are labelled
    return order_flips(ours[mine], others[theirs], first.alpha, (first.guarantee, second.guarantee))


def _hard_images(
    first: Results, second: Results, mine: NDArray[np.intp], theirs: NDArray[np.intp]
) -> tuple[HardImages, ...]:
    assert first.labels is not None  # noqa: S101 - checked by the caller
    return hard_images_lost(first.labels[mine], _above_half(first)[mine], _above_half(second)[theirs])


def _above_half(results: Results) -> NDArray[np.bool_]:
    assert results.label_counts is not None  # noqa: S101 - checked by the caller
    return np.asarray(2 * results.label_counts > results.draws)
