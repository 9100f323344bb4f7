"""How well a score tells right answers from wrong ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

CAUGHT = 0.95


@dataclass(frozen=True, slots=True)
class Detection:
    """What a score is worth for finding errors; a larger score should mean a right answer.

    Attributes:
        auroc: Probability that a right answer scores above a wrong one, ties counted half.
        aupr: Average precision of finding the wrong answers by their low score.
        fpr_at_95: Share of right answers that are suspected where 95 % of the wrong ones are.
    """

    auroc: float
    aupr: float
    fpr_at_95: float


def detect_errors(scores: ArrayLike, right: ArrayLike) -> Detection | None:
    """Measure a score; None where all answers are right, or all wrong, and nothing is to be told apart.

    Args:
        scores: float[answer].
        right: Whether each answer was right, bool[answer].
    """
    from scipy.stats import rankdata  # noqa: PLC0415 - slow to import

    values, correct = _checked(scores, right)
    num_right, num_wrong = int(correct.sum()), int((~correct).sum())
    if not num_right or not num_wrong:
        return None
    ranks = rankdata(values)
    auroc = (ranks[correct].sum() - num_right * (num_right + 1) / 2) / (num_right * num_wrong)
    suspected, caught = _by_threshold(values, correct)
    found = np.diff(np.concatenate([[0], caught])) / num_wrong
    precision = caught / suspected
    enough = int(np.searchsorted(caught, CAUGHT * num_wrong - 1e-9))
    false_alarms = (suspected - caught)[enough] / num_right
    return Detection(float(auroc), float((found * precision).sum()), float(false_alarms))


def risk_coverage(scores: ArrayLike, right: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the shares of answers kept, highest scores first, and the share of errors among those kept.

    Answers of one score are kept together.
    """
    values, correct = _checked(scores, right)
    order = np.argsort(-values, kind="stable")
    last = np.flatnonzero(np.diff(values[order], append=np.nan) != 0)
    wrong = (~correct[order]).cumsum()
    return (last + 1) / len(values), wrong[last] / (last + 1)


def _by_threshold(values: NDArray[np.float64], correct: NDArray[np.bool_]) -> tuple[NDArray[np.int64], ...]:
    """Return how many answers, and how many wrong ones, score no higher than each value, rising."""
    order = np.argsort(values, kind="stable")
    last = np.flatnonzero(np.diff(values[order], append=np.nan) != 0)
    return last + 1, (~correct[order]).cumsum()[last]


def _checked(scores: ArrayLike, right: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    values, correct = np.asarray(scores, np.float64), np.asarray(right, np.bool_)
    if values.shape != correct.shape or values.ndim != 1 or not len(values):
        raise InvalidParameter("Error detection takes one score and one answer an image, at least one.")
    return values, correct
