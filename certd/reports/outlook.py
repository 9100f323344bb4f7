"""What more draws could do for one image: an outlook, not a certificate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certd.reports.results import counts_suffice

if TYPE_CHECKING:
    from certd.smoothing.certificate import Certificate
    from certd.smoothing.guarantee import Guarantee
    from certd.smoothing.manifest import Manifest

FACTORS = (1, 10, 100)
MOST_DRAWS = 10**9
TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class Prospect:
    """What the one-sided bound on ``draws`` draws would prove if k/n stayed as it is.

    Attributes:
        draws: Estimation draws.
        radius: In input units; 0 where the image would abstain.
    """

    draws: int
    radius: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """What an image's share of votes promises.

    Attributes:
        share: k/n of the tested class, in [0, 1].
        prospects: The radius at growing budgets.
        least_draws: About how many draws a certificate would take; None where no budget gives one.
    """

    share: float
    prospects: tuple[Prospect, ...]
    least_draws: int | None


def outlook_of(certificate: Certificate, manifest: Manifest) -> Outlook | None:
    """Return what more draws would do for an image whose share of votes stayed what it is.

    The true share is not k/n, so this is no statement about the image. A new certificate needs new draws:
    going on until one likes the bound is not covered by alpha.

    Returns:
        None where the counts do not say: an exact plan, and whatever rests on more than counts.
    """
    settings = manifest.settings
    alpha = float(settings["alpha"])
    if not counts_suffice(settings) or alpha <= 0 or settings["plan"] in {"predict", "exhaustive"}:
        return None
    share, draws = certificate.p_a_estimate, certificate.conclusion.draws
    guarantee = manifest.guarantee
    budgets = [draws * factor for factor in FACTORS]
    prospects = tuple(Prospect(budget, _radius(guarantee, share, budget, alpha)) for budget in budgets)
    return Outlook(share, prospects, least_draws(guarantee, share, alpha))


def _radius(guarantee: Guarantee, share: float, draws: int, alpha: float) -> float:
    return guarantee.bound(int(share * draws), draws, alpha).radius


def least_draws(guarantee: Guarantee, share: float, alpha: float) -> int | None:
    """Return a budget within five percent of the least one that certifies, or within one draw."""
    if _radius(guarantee, share, MOST_DRAWS, alpha) <= 0:
        return None
    low, high = 0, MOST_DRAWS
    while high > low + max(1, TOLERANCE * low):
        middle = max(low + 1, int((low * high) ** 0.5))
        low, high = (low, middle) if _radius(guarantee, share, middle, alpha) > 0 else (middle, high)
    return high
