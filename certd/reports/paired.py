"""Tests of two runs on the same images: what one image gains another must not hide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from certd.errors import InvalidParameter, ShapeMismatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES = 2000
RESAMPLES_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """A mean difference over images with its bootstrap interval.

    Attributes:
        difference: First minus second.
        lower: Lower end of the percentile interval; approximate, no guarantee.
        upper: Upper end.
        level: Nominal coverage of the interval.
    """

    difference: float
    lower: float
    upper: float
    level: float


@dataclass(frozen=True, slots=True)
class McNemar:
    """An exact test of equal certified accuracy at one radius.

    Attributes:
        radius: The radius, input units.
        only_first: Images certified for their label by the first run alone.
        only_second: By the second run alone.
        p_value: Two-sided, exact binomial over the images on which the runs differ.
    """

    radius: float
    only_first: int
    only_second: int
    p_value: float


def paired_difference(
    first: NDArray[np.float64], second: NDArray[np.float64], level: float = 0.95, seed: int = 0
) -> PairedDifference:
    """Return the mean of ``first - second`` and a percentile bootstrap interval over the images.

    Args:
        first: One value an image, such as the credited radius, float64[image].
        second: The same images in the same order.
        level: Nominal coverage, in (0, 1).
        seed: Of the resampling; the same seed gives the same interval.

    Raises:
        ShapeMismatch: If the runs are not over the same images.
        InvalidParameter: If ``level`` lies outside its domain.

    References:
        Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    if first.shape != second.shape:
        raise ShapeMismatch("A paired difference needs the same images in both runs.")
    if not 0 < level < 1:
        raise InvalidParameter(f"The level of an interval lies in (0, 1); got {level}.")
    differences = first - second
    generator = np.random.default_rng(seed)
    means = np.concatenate(
        [
            generator.choice(differences, (RESAMPLES_AT_ONCE, len(differences))).mean(axis=1)
            for _ in range(RESAMPLES // RESAMPLES_AT_ONCE)
        ]
    )
    lower, upper = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return PairedDifference(float(differences.mean()), float(lower), float(upper), level)


def mcnemar_at(radius: float, first: NDArray[np.float64], second: NDArray[np.float64]) -> McNemar:
    """Test whether two runs certify the same share of images at one radius, declared beforehand.

    Args:
        radius: Input units, at least 0.
        first: Radius where certified for the label, minus infinity elsewhere, float64[image].
        second: The same images in the same order.

    Raises:
        ShapeMismatch: If the runs are not over the same images.

    References:
        McNemar (1947), Psychometrika 12.
    """
    from statsmodels.stats.contingency_tables import mcnemar  # noqa: PLC0415 - slow to import

    if first.shape != second.shape:
        raise ShapeMismatch("McNemar's test needs the same images in both runs.")
    ours, theirs = first >= radius, second >= radius
    only_first, only_second = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    table = [[int((ours & theirs).sum()), only_first], [only_second, int((~ours & ~theirs).sum())]]
    return McNemar(radius, only_first, only_second, float(mcnemar(table, exact=True).pvalue))
