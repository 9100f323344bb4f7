"""Predict with a promise: the smoothed classifier's class, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from certd.statistics.domain import require_class_counts, require_inside

if TYPE_CHECKING:
    from numpy.typing import NDArray


def predict(counts: NDArray[np.integer], alpha: float) -> int | None:
    """Return the class that the smoothed classifier returns, or None to abstain.

    With probability at least ``1 - alpha`` over the draws the result is None or a class of the largest
    probability. One two-sided binomial test of the two largest counts suffices, although the same draws pick
    the two (Hung and Fithian 2019): no correction for the number of classes is needed. A prediction certifies
    nothing about the neighbourhood of the image.

    Args:
        counts: Votes a class, non-negative, int[class].
        alpha: Failure probability, in (0, 1).

    Returns:
        The index of the largest count, or None when the test does not reject at alpha. The p-value is
        rounded up by one part in 1e9, so ties and doubt abstain.

    Raises:
        InvalidParameter: If an argument lies outside its domain.

    References:
        Cohen, Rosenfeld and Kolter (2019), arXiv:1902.02918, algorithm PREDICT; Hung and Fithian (2019),
        Annals of Statistics 47.
    """
    from scipy.stats import binomtest  # noqa: PLC0415 - slow to import

    require_inside("alpha", alpha)
    votes = require_class_counts(counts)
    second, first = np.partition(votes, -2)[-2:]
    p_value = binomtest(int(first), int(first + second), 0.5).pvalue
    return int(votes.argmax()) if p_value * (1 + 1e-9) <= alpha else None
