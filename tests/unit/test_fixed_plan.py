"""The fixed plan: choose on n0 draws, bound on n fresh ones."""

from __future__ import annotations

import numpy as np
import pytest

from certd.errors import CannotCertify
from certd.noise import Gaussian
from certd.smoothing import Draws, Guarantee, Phase, Record
from certd.smoothing.plans import FixedPlan
from certd.statistics import clopper_pearson_lower

EXACT = Guarantee(Gaussian(0.5), "l2", dimension=4, slack=0.0)


def _record(selection: list[int], estimation: list[int]) -> Record:
    record = Record(0, "0" * 64)
    for phase, counts in ((Phase.SELECTION, selection), (Phase.ESTIMATION, estimation)):
        record = record.observe(Draws(phase, 0, sum(counts)), np.array(counts))
    return record


def test_draws_are_asked_for_phase_by_phase_and_then_no_more() -> None:
    """Selection first, estimation next, then the image is finished."""
    plan = FixedPlan(n0=10, n=100)
    record = Record(0, "0" * 64)
    assert plan.next_draws(record, EXACT) == Draws(Phase.SELECTION, 0, 10)
    record = record.observe(Draws(Phase.SELECTION, 0, 10), np.array([4, 6]))
    assert plan.next_draws(record, EXACT) == Draws(Phase.ESTIMATION, 0, 100)
    record = record.observe(Draws(Phase.ESTIMATION, 0, 100), np.array([50, 50]))
    assert plan.next_draws(record, EXACT) is None


def test_work_goes_on_where_an_interrupted_record_stands() -> None:
    """A record that holds 30 of 100 draws asks for the other 70."""
    record = _record([0, 10], [0, 30])
    assert FixedPlan(n0=10, n=100).next_draws(record, EXACT) == Draws(Phase.ESTIMATION, 30, 100)


def test_the_class_is_chosen_on_selection_draws_alone() -> None:
    """A class that wins the estimation draws but lost the selection is not the one certified."""
    conclusion = FixedPlan(n0=10, n=1000).conclude(_record([6, 4], [400, 600]), EXACT)
    assert conclusion.top_class == 0
    assert conclusion.abstained


def test_the_bound_counts_estimation_draws_alone() -> None:
    """The selection draws are not pooled into k and n."""
    conclusion = FixedPlan(n0=100, n=1000).conclude(_record([100, 0], [990, 10]), EXACT)
    assert (conclusion.top_count, conclusion.draws) == (990, 1000)
    assert conclusion.p_a_lower == pytest.approx(clopper_pearson_lower(990, 1000, 0.001), rel=1e-12)
    assert conclusion.p_a_lower <= 0.976036187155
    assert conclusion.radius == pytest.approx(0.5 * 1.978010, abs=1e-6)
    assert conclusion.radius <= 0.5 * 1.9780101


def test_slack_is_given_up_before_the_radius() -> None:
    """What the sampled law may differ by is subtracted from the bound."""
    loose = Guarantee(Gaussian(0.5), "l2", dimension=4, slack=0.01)
    record = _record([100, 0], [990, 10])
    plan = FixedPlan(n0=100, n=1000)
    assert plan.conclude(record, loose).p_a_lower == pytest.approx(
        plan.conclude(record, EXACT).p_a_lower - 0.01, abs=1e-12
    )


@pytest.mark.parametrize(("n", "alpha", "least"), [(9, 0.001, 10), (1, 0.05, 5), (3, 0.1, 4)])
def test_settings_that_can_certify_nothing_are_refused_with_the_arithmetic(
    n: int, alpha: float, least: int
) -> None:
    """With n hits of n still an abstention, the refusal names the least n; one more draw is accepted."""
    with pytest.raises(CannotCertify) as refusal:
        FixedPlan(n=n, alpha=alpha).check(EXACT, 10)
    assert refusal.value.details["least_n"] == least
    assert f"{alpha ** (1 / n):.6f}" in refusal.value.message
    FixedPlan(n=least, alpha=alpha).check(EXACT, 10)
