"""The error of each procedure on class counts, computed over every outcome of a small multinomial."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.special import gammaln, xlogy

from certd.statistics.binomial_test import predict
from certd.statistics.clopper_pearson import clopper_pearson_lower, clopper_pearson_upper
from certd.statistics.no_split import no_split_lower
from certd.statistics.top_k import top_k_bounds
from certd.statistics.two_sided import two_sided_bounds

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytestmark = pytest.mark.slow

ROUNDING = 1 + 1e-9


def compositions(total: int, parts: int) -> NDArray[np.int64]:
    """List every way to share ``total`` among ``parts``, int[way, part]."""
    bars = np.array(list(combinations(range(total + parts - 1), parts - 1)), dtype=np.int64)
    edges = np.pad(bars, ((0, 0), (1, 1)), constant_values=((0, 0), (-1, total + parts - 1)))
    return np.diff(edges, axis=1) - 1


def simplex(resolution: int, classes: int) -> NDArray[np.float64]:
    """List class probabilities on a grid, every corner, edge and even split among them."""
    return compositions(resolution, classes) / resolution


def likelihoods(outcomes: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability of each outcome under each law, float[law, outcome]."""
    ways = gammaln(outcomes.sum(axis=1) + 1) - gammaln(outcomes + 1).sum(axis=1)
    likelihood: NDArray[np.float64] = np.exp(ways + xlogy(outcomes, probabilities[:, None]).sum(axis=2))
    return likelihood


def worst_error(
    outcomes: NDArray[np.int64], probabilities: NDArray[np.float64], wrong: NDArray[np.bool_]
) -> float:
    """Return the greatest probability of a wrong outcome; ``wrong`` is bool[law, outcome]."""
    return float((likelihoods(outcomes, probabilities) * wrong).sum(axis=1).max())


@pytest.mark.parametrize(("draws", "classes"), [(9, 2), (20, 2), (15, 3), (14, 4)])
@pytest.mark.parametrize("alpha", [0.4, 0.1, 0.02])
def test_no_split_errs_with_probability_at_most_alpha(draws: int, classes: int, alpha: float) -> None:
    """The class the draws chose is bounded falsely with probability at most alpha."""
    outcomes = compositions(draws, classes)
    laws = simplex(12, classes)
    bounds = np.array([no_split_lower(counts, alpha) for counts in outcomes])
    wrong = bounds[None] > laws[:, outcomes.argmax(axis=1)]
    assert worst_error(outcomes, laws, wrong) <= alpha * ROUNDING


def test_no_split_needs_half_of_alpha() -> None:
    """Two even classes err with more than alpha when the whole of alpha is spent on the larger count."""
    alpha, outcomes, laws = 0.1, compositions(20, 2), np.array([[0.5, 0.5]])
    bounds = clopper_pearson_lower(outcomes.max(axis=1), 20, alpha)
    assert worst_error(outcomes, laws, bounds[None] > 0.5) > alpha


def test_no_split_promises_nothing_below_one_half() -> None:
    """Keeping bounds of at most one half would err with more than alpha, so they are given up."""
    alpha, outcomes, laws = 0.1, compositions(14, 4), simplex(12, 4)
    bounds = clopper_pearson_lower(outcomes.max(axis=1), 14, alpha / 2)
    wrong = bounds[None] > laws[:, outcomes.argmax(axis=1)]
    assert worst_error(outcomes, laws, wrong) > alpha


@pytest.mark.parametrize(("draws", "classes"), [(20, 2), (15, 3), (14, 4)])
@pytest.mark.parametrize("alpha", [0.5, 0.1])
def test_two_sided_bounds_fail_with_probability_at_most_alpha(draws: int, classes: int, alpha: float) -> None:
    """The class's lower and the rivals' upper bound hold together, without a union over rivals."""
    outcomes, laws = compositions(draws, classes), simplex(12, classes)
    bounds = np.array([two_sided_bounds(int(c[0]), int(c[1:].max()), draws, alpha) for c in outcomes])
    wrong = (bounds[None, :, 0] > laws[:, :1]) | (bounds[None, :, 1] < laws[:, 1:].max(axis=1, keepdims=True))
    assert worst_error(outcomes, laws, wrong) <= alpha * ROUNDING


def test_rivals_bound_alone_spends_only_its_share() -> None:
    """U of the largest other count misses the largest other probability with at most a2, for any law."""
    outcomes, laws = compositions(14, 4), simplex(12, 4)
    bounds = clopper_pearson_upper(outcomes[:, 1:].max(axis=1), 14, 0.3)
    wrong = bounds[None] < laws[:, 1:].max(axis=1, keepdims=True)
    assert worst_error(outcomes, laws, wrong) <= 0.3 * ROUNDING


@pytest.mark.parametrize(("draws", "classes", "k"), [(15, 3, 1), (15, 3, 2), (14, 4, 2), (14, 4, 3)])
def test_top_k_bounds_fail_with_probability_at_most_alpha(draws: int, classes: int, k: int) -> None:
    """The label's bound and all k ranked rivals' bounds hold together."""
    alpha, outcomes, laws = 0.5, compositions(draws, classes), simplex(12, classes)
    bounds = [top_k_bounds(counts, 0, k, alpha) for counts in outcomes]
    lower, rivals = np.array([b[0] for b in bounds]), np.array([b[1] for b in bounds])
    ranked = -np.sort(-laws[:, 1:], axis=1)[:, :k]
    wrong = (lower[None] > laws[:, :1]) | (rivals[None] < ranked[:, None]).any(axis=2)
    assert worst_error(outcomes, laws, wrong) <= alpha * ROUNDING


def test_ranked_rivals_need_a_union_over_k() -> None:
    """Without dividing by k the bound on the k-th rival alone fails more often than its share."""
    share, outcomes, laws = 0.3, compositions(14, 4), simplex(12, 4)
    third = np.sort(outcomes[:, 1:], axis=1)[:, 0]
    wrong = clopper_pearson_upper(third, 14, share)[None] < laws[:, 1:].min(axis=1, keepdims=True)
    assert worst_error(outcomes, laws, wrong) > share


@pytest.mark.parametrize(("draws", "classes"), [(20, 2), (15, 3), (14, 4)])
@pytest.mark.parametrize("alpha", [0.4, 0.1, 0.02])
def test_prediction_is_wrong_with_probability_at_most_alpha(draws: int, classes: int, alpha: float) -> None:
    """The prediction is the most probable class or None, except with probability alpha, even at near ties."""
    outcomes = compositions(draws, classes)
    laws = (simplex(12, classes) + 1e-9 * np.arange(classes)) / (1 + 1e-9 * np.arange(classes).sum())
    predictions = [predict(counts, alpha) for counts in outcomes]
    wrong = np.array([[c is not None and law[c] < law.max() for c in predictions] for law in laws])
    assert worst_error(outcomes, laws, wrong) <= alpha * ROUNDING
