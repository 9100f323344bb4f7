"""Estimates: what a certification can cost and reach, before anything is spent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from certd.smoothing.guarantee import Guarantee
    from certd.smoothing.request import Certification


@dataclass(frozen=True, slots=True)
class Estimate:
    """What to expect.

    Attributes:
        num_images: Images of the job.
        draws_at_most: The most noisy copies that are classified.
        draws_per_second: The model's measured speed, or None while nobody has measured it.
        seconds_at_most: How long ``draws_at_most`` take one worker; None without a measured speed.
        largest_radius: The largest radius any image can get, in input units.
        norm: The norm of that radius.
    """

    num_images: int
    draws_at_most: int
    draws_per_second: float | None
    seconds_at_most: float | None
    largest_radius: float
    norm: str


# Of the most draws a plan may spend, the share that it spends on published test sets, rounded up.
_EXPECTED_SHARE = {"radii": 0.15, "precision": 0.5, "open": 0.15}


def expected_draws(certification: Certification, num_images: int) -> int:
    """Return about how many draws ``num_images`` images will take; docs/plan-savings.md has the shares."""
    share = _EXPECTED_SHARE.get(certification.plan.kind, 1.0)
    return round(num_images * certification.procedure.max_draws * share)


def estimate(
    certification: Certification,
    guarantee: Guarantee,
    num_images: int,
    num_classes: int,
    draws_per_second: float | None,
) -> Estimate:
    """Say what ``certification`` can cost and reach on ``num_images`` images.

    Raises:
        CannotCertify: If no image could be certified.
    """
    plan = certification.procedure
    plan.check(guarantee, num_classes)
    draws = num_images * plan.max_draws
    return Estimate(
        num_images=num_images,
        draws_at_most=draws,
        draws_per_second=draws_per_second,
        seconds_at_most=draws / draws_per_second if draws_per_second else None,
        largest_radius=plan.max_radius(guarantee),
        norm=guarantee.norm,
    )
