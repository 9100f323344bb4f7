"""Domains of the numbers that plans are made of."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from certd.errors import CannotCertify
from certd.smoothing.draws import MAX_DRAWS_PER_PHASE

DrawCount = Annotated[int, Field(ge=1, le=MAX_DRAWS_PER_PHASE)]
FailureProbability = Annotated[float, Field(gt=0, lt=1)]
Radius = Annotated[float, Field(ge=0, allow_inf_nan=False)]

DEFAULT_N0, DEFAULT_N, DEFAULT_ALPHA = 100, 100_000, 0.001


def too_few_draws(n: int, alpha: float, share: float = 1.0) -> CannotCertify:
    """Return the refusal of an ``n`` whose best outcome, ``n`` hits of ``n``, would still abstain.

    Args:
        n: Estimation draws.
        alpha: Failure probability asked for.
        share: The part of alpha that the lower bound gets.
    """
    spent = alpha * share
    least = math.floor(math.log(spent) / math.log(0.5)) + 1
    best = spent ** (1 / n)
    part = "alpha" if share == 1 else f"({share:g} alpha)"
    return CannotCertify(
        f"n = {n} draws at alpha = {alpha:g} cannot certify any image: even {n} hits of {n} bound pA from "
        f"below by {part}**(1/n) = {best:.6f}, which is not above 1/2. Use n of at least {least}, "
        "or a larger alpha.",
        pointer="/n",
        least_n=least,
        best_p_a_lower=best,
        largest_radius=0.0,
    )
