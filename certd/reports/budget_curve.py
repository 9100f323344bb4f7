"""ACR against budget: the same counts at every number of draws, beside the constant classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from certd.reports.budget import BUDGETS, expected_average_radius
from certd.reports.radius import trivial_average_radius
from certd.reports.subsampling import reduced_average_radius
from certd.reports.weighted import tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certd.reports.results import Results

Basis = Literal["exact", "projected"]


@dataclass(frozen=True, slots=True)
class BudgetPoint:
    """The expected ACR of a one-sided fixed plan at one budget.

    Attributes:
        draws: Estimation draws N.
        average_radius: Expected ACR, input units.
        trivial_radius: ACR of the constant classifier of the most frequent class at the same budget.
        basis: ``exact`` where the stored draws suffice and are only left out at random; ``projected`` where
            k/n stands in for the probability.
    """

    draws: int
    average_radius: float
    trivial_radius: float
    basis: Basis


def average_radius_by_budget(
    results: Results, budgets: Sequence[int] = BUDGETS
) -> tuple[BudgetPoint, ...] | None:
    """Return the expected ACR at each budget, or None where the counts do not say.

    They do not without labels, of exact plans, and where a certificate rests on more than counts.

    Args:
        results: The images of a run or a log.
        budgets: Estimation draws, each at least 1.
    """
    if not results.projectable:
        return None
    share = most_frequent_share(results)
    return tuple(_point(results, draws, share) for draws in budgets)


def most_frequent_share(results: Results) -> float:
    """Return the share of the most frequent label; 0 without labels."""
    if results.labels is None:
        return 0.0
    _, place = np.unique(results.labels, return_inverse=True)
    return float(tally(place, 1, results.weights).max() / len(results))


def _point(results: Results, draws: int, share: float) -> BudgetPoint:
    alpha, guarantee = results.alpha, results.guarantee
    exact = draws <= _common_draws(results)
    radius = _reduced(results, draws) if exact else _expected(results, draws)
    trivial = trivial_average_radius(share, draws, alpha, guarantee)
    return BudgetPoint(draws, radius, trivial, "exact" if exact else "projected")


def _common_draws(results: Results) -> int:
    """Return the draws that every image has, 0 where they differ or stopped early: then k/n is biased."""
    same = bool((results.draws == results.draws[0]).all())
    return int(results.draws[0]) if same and results.looks == 1 and not results.recovered else 0


def _reduced(results: Results, draws: int) -> float:
    counts = np.where(results.top_classes == results.labels, results.top_counts, 0)
    spent, weights = int(results.draws[0]), results.weights
    return reduced_average_radius(counts, spent, draws, results.alpha, results.guarantee, weights)


def _expected(results: Results, draws: int) -> float:
    shares = results.label_shares
    assert shares is not None  # noqa: S101 - projectable results have labels
    weights = results.label_weights
    return expected_average_radius(shares, draws, results.alpha, results.guarantee, weights)
