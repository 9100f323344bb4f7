"""A robust and a normal classifier side by side: how sure they are, on clean and on attacked images.

References:
    Grabinski, Gavrikov, Keuper and Keuper (2022), Robust models are less over-confident, arXiv:2210.05938.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from certd.errors import InvalidParameter, ShapeMismatch
from certd.reports.calibration import ConfidenceBins, bins_of
from certd.reports.confidence import LEAST_ACCURACY, UNRELIABLE
from certd.reports.paired import RESAMPLES, RESAMPLES_AT_ONCE, PairedDifference
from certd.reports.printed import floored
from certd.smoothing.votes import BINS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MEASURES = (
    "accuracy",
    "confidence",
    "over_confidence",
    "under_confidence",
    "expected_calibration_error",
    "brier",
    "log_loss",
)
MOST_LOSS = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What one classifier answers to a column of images.

    Attributes:
        confidence: Largest softmax, float64[image].
        right: Whether its class is the label, bool[image].
        brier: Squared distance of the softmax from the label's unit vector, float64[image], in [0, 2].
        log_loss: ``-ln`` of the label's softmax, at most 100, float64[image].
    """

    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]
    brier: NDArray[np.float64]
    log_loss: NDArray[np.float64]

    @classmethod
    def of(cls, softmax: NDArray[np.float64], labels: NDArray[np.int64]) -> Answers:
        """Return the answers of a softmax.

        Args:
            softmax: float64[image, class].
            labels: int64[image].

        Raises:
            ShapeMismatch: If the two are not of the same images.
        """
        if len(softmax) != len(labels) or not len(labels):
            raise ShapeMismatch("A softmax needs one label an image, and one image at least.")
        of_label = softmax[np.arange(len(labels)), labels]
        return cls(
            softmax.max(axis=1),
            np.asarray(softmax.argmax(axis=1) == labels),
            (softmax**2).sum(axis=1) - 2 * of_label + 1,
            np.minimum(-np.log(np.maximum(of_label, np.exp(-MOST_LOSS))), MOST_LOSS),
        )

    @property
    def bins(self) -> ConfidenceBins:
        """Return the answers sorted by confidence."""
        return bins_of(self.confidence, self.right)

    def measures(self) -> dict[str, float]:
        """Return every measure of :data:`MEASURES`."""
        bins = self.bins
        return {
            "accuracy": bins.accuracy,
            "confidence": bins.confidence,
            "over_confidence": bins.over_confidence,
            "under_confidence": bins.under_confidence,
            "expected_calibration_error": bins.calibration_error(),
            "brier": float(self.brier.mean()),
            "log_loss": float(self.log_loss.mean()),
        }

    def resampled(self, times: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the measures of samples of the images.

        Args:
            times: How often a sample holds each image, int64[sample, image], rows of one sum.

        Returns:
            float64[sample, measure], in the order of :data:`MEASURES`.
        """
        z, right = self.confidence, self.right.astype(np.float64)
        images = times.sum(axis=1)
        sure, correct = times @ z, times @ right
        wrongly, doubt = times @ (z * (1 - right)), times @ ((1 - z) * right)
        gaps = np.zeros((len(z), BINS))
        gaps[np.arange(len(z)), np.minimum((z * BINS).astype(np.int64), BINS - 1)] = z - right
        columns = [
            correct / images,
            sure / images,
            _shares(wrongly, images - correct),
            _shares(doubt, correct),
            np.abs(times @ gaps).sum(axis=1) / images,
            times @ self.brier / images,
            times @ self.log_loss / images,
        ]
        return np.stack(columns, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class PairColumn:
    """Both classifiers on one column of images.

    Attributes:
        name: Of the column: ``clean``, ``PGD``, ``Square``.
        first: Answers of the robust classifier.
        second: Answers of the normal one, to images made against *it* where they are attacked.
        differences: First minus second for each measure, with a paired bootstrap interval.
    """

    name: str
    first: Answers
    second: Answers
    differences: Mapping[str, PairedDifference]


@dataclass(frozen=True, slots=True, eq=False)
class PairReport:
    """A robust and a normal classifier.

    Attributes:
        names: What the two are called, the robust one first.
        conditions: What was done, under stable names: data set, budget, versions.
        columns: One a kind of images.
        alike: Whether the two are of one architecture.
    """

    names: tuple[str, str]
    conditions: Mapping[str, Any]
    columns: tuple[PairColumn, ...]
    alike: bool

    @property
    def warnings(self) -> list[str]:
        """Return a sentence for what should not be read as it looks."""
        found = [] if self.alike else ["The two are of different architectures, which differ by themselves."]
        for column in self.columns:
            for name, answers in zip(self.names, (column.first, column.second), strict=True):
                accuracy = answers.bins.accuracy
                if accuracy < LEAST_ACCURACY:
                    found.append(UNRELIABLE.format(f"{name} on {column.name} images", floored(accuracy, 3)))
        return found

    def as_json(self) -> dict[str, Any]:
        """Return the numbers under stable names."""
        return {
            "models": list(self.names),
            "same_architecture": self.alike,
            "conditions": dict(self.conditions),
            "columns": {
                column.name: {
                    "first": column.first.measures(),
                    "second": column.second.measures(),
                    "difference": {name: asdict(one) for name, one in column.differences.items()},
                }
                for column in self.columns
            },
            "warnings": self.warnings,
        }


def pair_column(name: str, first: Answers, second: Answers, seed: int = 0, level: float = 0.95) -> PairColumn:
    """Return a column with the differences of its measures.

    Images are drawn anew in pairs: what is hard for both classifiers does not count as a difference. The
    percentile interval is approximate and guarantees nothing.

    Args:
        name: Of the column.
        first: Answers of the robust classifier.
        second: Answers of the normal one, image by image the same.
        seed: Of the resampling; the same seed gives the same intervals.
        level: Nominal coverage, in (0, 1).

    Raises:
        ShapeMismatch: If the two did not answer to as many images.
        InvalidParameter: If ``level`` lies outside its domain.

    References:
        Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    if len(first.right) != len(second.right):
        raise ShapeMismatch("A pair needs the same images for both classifiers.")
    if not 0 < level < 1:
        raise InvalidParameter(f"The level of an interval lies in (0, 1); got {level}.")
    images, random = len(first.right), np.random.default_rng(seed)
    found = []
    for _ in range(RESAMPLES // RESAMPLES_AT_ONCE):
        times = random.multinomial(images, np.full(images, 1 / images), RESAMPLES_AT_ONCE)
        found.append(first.resampled(times) - second.resampled(times))
    ends = np.quantile(np.concatenate(found), [(1 - level) / 2, (1 + level) / 2], axis=0)
    ours, theirs = first.measures(), second.measures()
    differences = {
        measure: PairedDifference(ours[measure] - theirs[measure], float(low), float(high), level)
        for measure, low, high in zip(MEASURES, *ends, strict=True)
    }
    return PairColumn(name, first, second, differences)


def _shares(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ratios, 0 where there is nothing to share among."""
    return np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
