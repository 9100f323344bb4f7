"""Share alpha, and the risk of giving up too early, out over the looks of a plan.

Neither can make a plan unsound: whatever is spent by a look, the thresholds keep the error within it, and
giving up only makes claims rarer. They decide what a plan costs and how little it loses.

``rising`` comes close to what is cheapest for published images (benchmarks/plan_savings.py). Alpha is spent
early enough to let clear images go, most of it at the end, where close ones are decided. Giving up is dear
while few draws have been spent and cheap when nearly all have: an early look saves the same draws at a small
risk, and many early looks add up their risks.

``even`` is what earlier versions did, whose runs say nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Spending = Literal["rising", "even"]

EARLY_SHARE: dict[Spending, float] = {"rising": 0.35, "even": 0.5}
"""Of alpha, what may be spent before the last look."""
RISK: dict[Spending, float] = {"rising": 0.2, "even": 0.04}
"""Of giving up when the hits are on course: at the last look (``rising``), at each (``even``)."""


def spent_alpha(spending: Spending, stages: Sequence[int], alpha: float) -> tuple[float, ...]:
    """Return A_k, the alpha that may be spent by look k.

    ``rising`` spends its early share by the cube root of the draws, ``even`` in equal parts a look.

    Args:
        spending: Which rule.
        stages: Draws n_k at each look, rising, at least one look.
        alpha: Failure probability, in ``(0, 1)``.

    Returns:
        Rising values whose last is ``alpha``; what a look does not use is left to the next.
    """
    looks = len(stages)
    if spending == "rising":
        passed = [(draws / stages[-1]) ** (1 / 3) for draws in stages[:-1]]
    else:
        passed = [look / (looks - 1) for look in range(1, looks)]
    return (*(alpha * EARLY_SHARE[spending] * part for part in passed), alpha)


def futility_risks(spending: Spending, stages: Sequence[int]) -> NDArray[np.float64]:
    """Return, for each look, the probability of giving up there when the hits are on course.

    ``rising`` grows with the square root of the draws, ``even`` is the same at every look.

    Args:
        spending: Which rule.
        stages: Draws n_k at each look, rising, at least one look.
    """
    draws = np.array(stages, np.float64)
    shape = np.sqrt(draws / draws[-1]) if spending == "rising" else np.ones(len(draws))
    return RISK[spending] * shape
