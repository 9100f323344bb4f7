"""The prediction and its abstention."""

from __future__ import annotations

import numpy as np
import pytest

from certd.errors import InvalidParameter
from certd.statistics.binomial_test import predict


@pytest.mark.parametrize(
    ("counts", "alpha", "prediction"),
    [
        ([10, 0], 0.001, None),
        ([11, 0], 0.001, 0),
        ([0, 11], 0.001, 1),
        ([40, 40, 20], 0.1, None),
        ([10, 60, 30], 0.01, 1),
        ([10, 60, 40], 0.01, None),
    ],
)
def test_prediction_of_known_counts(counts: list[int], alpha: float, prediction: int | None) -> None:
    """Two-sided p-values: 2 * 2**-10 abstains at .001 and 2 * 2**-11 predicts; a tie abstains."""
    assert predict(np.array(counts), alpha) == prediction


@pytest.mark.parametrize("counts", [[0, 0], [5], [3, -1]])
def test_counts_that_are_none_are_refused(counts: list[int]) -> None:
    """A prediction needs two classes and a draw."""
    with pytest.raises(InvalidParameter):
        predict(np.array(counts), 0.001)
