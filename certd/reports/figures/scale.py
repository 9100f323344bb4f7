"""From values to places on the page, and the ticks between."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from certd.reports.figures.figure import Axis

WANTED_TICKS = 6
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Scale:
    """One axis laid on the page from ``start`` to ``stop``, in pixels."""

    axis: Axis
    start: float
    stop: float

    def place(self, value: float) -> float:
        """Return where a value stands; values outside the axis stand at its ends."""
        low, high = self._spread(self.axis.low), self._spread(self.axis.high)
        share = (self._spread(value) - low) / (high - low)
        return self.start + min(max(share, 0.0), 1.0) * (self.stop - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """Return the values to mark, with their labels."""
        return _decades(self.axis) if self.axis.log else _round_steps(self.axis)

    def _spread(self, value: float) -> float:
        return math.log10(max(value, 1e-300)) if self.axis.log else value


def _decades(axis: Axis) -> list[tuple[float, str]]:
    first, last = math.ceil(math.log10(axis.low) - 1e-9), math.floor(math.log10(axis.high) + 1e-9)
    return [(10.0**power, _power(power)) for power in range(first, last + 1)]


def _power(power: int) -> str:
    return f"{10.0**power:g}" if -3 <= power <= 3 else "10" + str(power).translate(SUPERSCRIPTS)


def _round_steps(axis: Axis) -> list[tuple[float, str]]:
    """Mark multiples of 1, 2, 2.5 or 5 times a power of ten, about as many as wanted."""
    rough = (axis.high - axis.low) / WANTED_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * (1 - 1e-9))
    first, last = math.ceil(axis.low / step - 1e-9), math.floor(axis.high / step + 1e-9)
    return [(i * step, f"{round(i * step, 10):g}") for i in range(first, last + 1)]
