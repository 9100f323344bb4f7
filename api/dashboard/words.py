"""Values as pages print them. Radii and shares are rounded down, times are UTC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from certd.reports.printed import floored, percent

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

MINUTE, HOUR, DAY = 60, 3600, 86_400


def grouped(number: int) -> str:
    """Print a count with its thousands apart."""
    return f"{number:,}"


def rough(number: float) -> str:
    """Print a number of draws, which nobody reads to the last digit."""
    for unit, name in ((10**9, "billion"), (10**6, "million")):
        if number >= unit:
            return f"{number / unit:.3g} {name}"
    return f"{number:,.0f}"


def instant(moment: datetime) -> str:
    """Print a moment."""
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def duration(seconds: float) -> str:
    """Print how long something takes."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * HOUR:
        return f"{seconds / MINUTE:.0f} min"
    if seconds < 2 * DAY:
        return f"{seconds / HOUR:.0f} h"
    return f"{seconds / DAY:.0f} days"


def count_of(number: int, noun: str) -> str:
    """Print a number with its noun: one image, 1,234 images."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


FILTERS: dict[str, Callable[..., Any]] = {
    "grouped": grouped,
    "rough": rough,
    "instant": instant,
    "duration": duration,
    "count_of": count_of,
    "floored": floored,
    "percent": percent,
}
