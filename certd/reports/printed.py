"""Numbers as a report prints them: radii, bounds and shares are rounded down, budgets grouped."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from certd.statistics import floor_to

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certd.reports.results import Results

DECIMALS, DIGITS = 4, 6
NOISE = {"gaussian": "Gaussian", "laplace": "Laplace", "uniform": "uniform", "splitting": "splitting"}


def floored(value: float, decimals: int = DECIMALS) -> str:
    """Print a number rounded down: a larger radius, bound or accuracy was never reached."""
    return f"{floor_to(value, decimals):.{decimals}f}"


def ceiled(value: float, decimals: int = DECIMALS) -> str:
    """Print an upper bound, rounded up."""
    return f"{-floor_to(-value, decimals):.{decimals}f}"


def trimmed(radius: float) -> str:
    """Print a radius that was asked for: in six digits, rounded down, without zeros at the end.

    Args:
        radius: Input units, finite, at least 0.

    Returns:
        Such as ``0.25``, or ``0.00392156`` for 1/255; never with an exponent.
    """
    exact = Decimal(repr(float(radius)))
    place = Decimal(1).scaleb(exact.adjusted() - DIGITS + 1)
    return f"{exact.quantize(place, rounding=ROUND_FLOOR).normalize():f}" if exact else "0"


def percent(share: float) -> str:
    """Print a share as a percentage, rounded down to a tenth."""
    return f"{floored(100 * share, 1)} %"


def images_of(results: Results) -> str:
    """Say how many images the numbers are over; ``137 of 500`` for a partial run."""
    if results.complete:
        return f"{len(results):,} images"
    return f"{len(results):,} of {results.requested:,} images"


def conditions(results: Results, sigmas: Sequence[float] = ()) -> str:
    """Say under which conditions every number of a run was made; no figure goes without it.

    Args:
        results: The run, or the first of several that differ in their noise levels alone.
        sigmas: The noise levels of all of them.
    """
    settings = results.settings
    draws = f"n = {settings['n']:,}" if "n" in settings else f"{int(results.draws.max()):,} draws"
    levels = ", ".join(f"{each:g}" for each in sigmas or (settings["sigma"],))
    kinds = ["soft votes"] if settings.get("votes") == "soft" else []
    kinds += [f"top-{results.top_k} certificates"] if results.top_k > 1 else []
    return (
        f"{NOISE[settings['noise']]} noise, sigma = {levels}, {settings['norm']} · "
        f"plan {', '.join([settings['plan'], *kinds])}, {draws}, alpha = {results.alpha:g} · "
        f"{images_of(results)}" + (f" · {settings['mixture']}" if "mixture" in settings else "")
    )
