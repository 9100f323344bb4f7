"""What more draws could do: an outlook that is consistent with the bounds it is made of, and never long."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from certd.noise.specification import NoiseSpecification
from certd.reports.outlook import MOST_DRAWS, TOLERANCE, least_draws
from certd.smoothing.guarantee import Guarantee

NOISE = NoiseSpecification(family="gaussian", sigma=0.25, arithmetic="quantized")
GUARANTEE = Guarantee.of(NOISE, "l2", (3, 32, 32))


@given(st.floats(0, 1), st.floats(1e-9, 0.5))
def test_the_least_budget_certifies_and_a_smaller_one_does_not(share: float, alpha: float) -> None:
    """To the tolerance that is promised; none where not even the largest budget would do."""

    def certifies(draws: int) -> bool:
        return GUARANTEE.bound(int(share * draws), draws, alpha).radius > 0

    found = least_draws(GUARANTEE, share, alpha)
    if found is None:
        assert not certifies(MOST_DRAWS)
        return
    assert certifies(found)
    smaller = int(found / (1 + TOLERANCE)) - 1
    # Rounding k down makes tiny budgets jump; from a few dozen draws on, fewer draws certify less.
    assert found < 100 or not certifies(smaller) or _jumps(share, smaller)


def _jumps(share: float, draws: int) -> bool:
    """Return whether rounding alone makes this budget better than the next ones."""
    return any(int(share * more) / more < int(share * draws) / draws for more in range(draws, draws + 20))


def test_half_of_the_votes_never_suffice() -> None:
    """No budget turns a coin into a certificate."""
    options: dict[str, Any] = {"alpha": 0.001}
    assert least_draws(GUARANTEE, 0.5, **options) is None
    assert least_draws(GUARANTEE, 0.0, **options) is None
