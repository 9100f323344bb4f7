"""Refuse arguments outside their domain, in sentences that say what to pass instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def require_inside(name: str, value: float, upper: float = 1.0) -> None:
    """Raise unless ``value`` lies strictly between 0 and ``upper``; NaN does not."""
    if not 0.0 < value < upper:
        raise InvalidParameter(f"{name} must lie strictly between 0 and {upper:g}; got {value!r}.")


def require_count(name: str, value: int, least: int = 1, most: float = np.inf) -> None:
    """Raise unless ``value`` is a whole number in ``[least, most]``."""
    if value != int(value) or not least <= value <= most:
        raise InvalidParameter(f"{name} must be a whole number from {least} to {most}; got {value!r}.")


def require_within(name: str, values: ArrayLike, lower: float, upper: float) -> NDArray[np.float64]:
    """Return ``values`` as a non-empty vector of floats; raise unless all lie in ``[lower, upper]``."""
    floats = np.atleast_1d(np.asarray(values, dtype=np.float64))
    if floats.ndim != 1 or floats.size == 0:
        raise InvalidParameter(f"{name} must be one non-empty list of numbers; got shape {floats.shape}.")
    if not np.all((floats >= lower) & (floats <= upper)):
        raise InvalidParameter(f"{name} must all lie in [{lower:g}, {upper:g}].")
    return floats


def require_class_counts(counts: ArrayLike, least_classes: int = 2) -> NDArray[np.int64]:
    """Return ``counts`` as int64[class]; raise unless they are whole, non-negative and not all zero."""
    given = np.asarray(counts)
    if given.ndim != 1 or given.size < least_classes:
        raise InvalidParameter(f"counts must hold one number a class, at least {least_classes}.")
    if not np.issubdtype(given.dtype, np.integer) or given.min() < 0 or given.sum() == 0:
        raise InvalidParameter("counts must be non-negative integers with at least one draw among them.")
    return given.astype(np.int64)
