"""Find the number of rows that a device classifies fastest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.errors import InvalidParameter, OutOfMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NOTICEABLE = 1.02
LONGEST_SECONDS = 4.0


def best_batch_size(seconds: Callable[[int], float], candidates: Sequence[int]) -> int:
    """Return the size with the most rows a second; the least of those that are within two per cent of it.

    Rounding depends on the batch size, and so does the classifier as executed: find it once a job, before
    the first draw, and use it wherever the job runs.

    Args:
        seconds: Time of one batch of so many rows, above 0; raises ``OutOfMemory`` where it does not fit.
        candidates: Sizes to try, rising; none after the first that does not fit, that is noticeably slower
            than a smaller one, or that takes seconds.

    Returns:
        One of the candidates.

    Raises:
        InvalidParameter: If there is no candidate.
        OutOfMemory: If not even the first one fits.
    """
    if not candidates:
        raise InvalidParameter("Name at least one batch size to try.")
    rates: dict[int, float] = {}
    for size in candidates:
        try:
            rates[size] = size / seconds(size)
        except OutOfMemory:
            if not rates:
                raise
            break
        if rates[size] * NOTICEABLE < max(rates.values()) or size / rates[size] > LONGEST_SECONDS:
            break
    return min(size for size, rate in rates.items() if rate * NOTICEABLE >= max(rates.values()))


def halve_until_it_fits(fits: Callable[[int], object], batch_size: int) -> int:
    """Return the first of ``batch_size``, half of it, a quarter, ... that fits the device.

    Args:
        fits: Tries a batch of so many rows; raises ``OutOfMemory`` where it does not fit.
        batch_size: The size to begin with, at least 1.

    Raises:
        OutOfMemory: If not even one row fits.
    """
    while True:
        try:
            fits(batch_size)
        except OutOfMemory:
            if batch_size == 1:
                raise
            batch_size //= 2
        else:
            return batch_size
