"""Conditions on a run's numbers, such as ``acc@0.5>=0.40``: a gate for continuous integration."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np

from certd.errors import InvalidParameter
from certd.reports.weighted import count

if TYPE_CHECKING:
    from certd.reports.results import Results

Side = Literal["min", "max"]
COMPARATORS: dict[Side, str] = {"min": ">=", "max": "<="}
_CONDITION = re.compile(r"\s*([a-z]+)(?:@([0-9.]+))?\s*(>=|<=)\s*([0-9.eE+-]+)\s*")
_WITH_AT = {"acc", "pa"}
_WITHOUT_AT = {"acr", "abstain"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a condition found.

    Attributes:
        condition: As it was written.
        holds: Whether the run meets it; decided on exact fractions.
        value: The run's number.
        evidence: The number in words, with the counts behind it.
    """

    condition: str
    holds: bool
    value: float
    evidence: str


@dataclass(frozen=True, slots=True)
class Condition:
    """A bound on one number.

    Attributes:
        text: As it was written.
        quantity: ``acc`` (certified accuracy at a radius), ``acr``, ``abstain`` (share), ``pa`` (share of the
            images whose label has a share of the draws).
        at: The radius, or the share of the draws; None where the quantity takes none.
        side: Whether the limit is the least or the most.
        limit: The limit.
    """

    text: str
    quantity: str
    at: Fraction | None
    side: Side
    limit: Fraction

    @classmethod
    def parse(cls, text: str, side: Side) -> Condition:
        """Read ``acc@0.5>=0.40``, ``abstain<=0.1``, ``acr>=0.3`` or ``pa@0.9>=0.5``.

        Raises:
            InvalidParameter: If it is no condition, points the other way than ``side``, or asks for a share
                outside [0, 1].
        """
        found = _CONDITION.fullmatch(text)
        if found is None:
            raise InvalidParameter(
                f"{text!r} is no condition; write acc@0.5>=0.40, acr>=0.3, pa@0.9>=0.5 or abstain<=0.1."
            )
        quantity, at, comparator, limit = found.groups()
        if comparator != COMPARATORS[side]:
            raise InvalidParameter(f"--{side} takes conditions with {COMPARATORS[side]}, not {text!r}.")
        if quantity not in _WITHOUT_AT | _WITH_AT or (at is None) != (quantity in _WITHOUT_AT):
            raise InvalidParameter(
                f"{text!r} names no quantity; there are acc@RADIUS, pa@SHARE, acr and abstain."
            )
        try:
            point, bound = Fraction(at or 0), Fraction(limit)
        except ValueError:
            raise InvalidParameter(f"{text!r} holds something that is no number.") from None
        shares = {"acr": [], "pa": [point, bound]}.get(quantity, [bound])
        if not all(0 <= share <= 1 for share in shares):
            raise InvalidParameter(f"{text!r}: a share lies in [0, 1]{_as_fraction(text, bound)}.")
        return cls(text.strip(), quantity, None if at is None else point, side, bound)

    def judge(self, results: Results) -> Outcome:
        """Say whether a run meets the condition.

        Raises:
            InvalidParameter: If the run does not hold what the condition is about.
        """
        value, evidence = self._measure(results)
        holds = value >= self.limit if self.side == "min" else value <= self.limit
        return Outcome(self.text, holds, float(value), evidence)

    def _measure(self, results: Results) -> tuple[Fraction, str]:
        if self.quantity == "abstain":
            return _share(count(~results.certified, results.weights), len(results))
        if results.labels is None:
            raise InvalidParameter(f"{self.text} needs labels, which this run has not.")
        match self.quantity:
            case "acc":
                counts = results.certified_counts([float(self.at or 0)])
                return _share(int(counts[0]), len(results))
            case "acr":
                value = results.average_radius
                return Fraction(value), f"{value:.6f} over {len(results)} images"
            case _:
                return self._with_share(results)

    def _with_share(self, results: Results) -> tuple[Fraction, str]:
        """Return the share of the images whose label has at least the share ``at`` of the draws."""
        if results.recovered or results.label_counts is None:
            raise InvalidParameter(f"{self.text} needs every image's counts, which a log of radii has not.")
        budgets, place = np.unique(results.draws, return_inverse=True)
        least = np.array([math.ceil((self.at or 0) * draws) for draws in budgets.tolist()])
        reached = results.label_counts >= least[place]
        return _share(count(reached, results.label_weights), len(results))


def _share(count: int, total: int) -> tuple[Fraction, str]:
    share = Fraction(count, total)
    return share, f"{count:,} of {total:,} = {float(share):.6f}"


def _as_fraction(text: str, limit: Fraction) -> str:
    """Return how to write a percentage, where a limit looks like one."""
    if not 1 < limit <= 100:
        return ""
    quantity, comparator, _ = re.split("(>=|<=)", text.strip())
    return f"; for {float(limit):g} % write {quantity}{comparator}{float(limit / 100):g}"
