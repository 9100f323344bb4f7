"""Conditions on a run's numbers, such as ``acc@0.5>=0.40``: a gate for continuous integration."""

from __future__ import annotations

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
_WITH_AT = {"acc": "the radius", "pa": "the quantile, in [0, 1]"}
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
        quantity: ``acc`` (certified accuracy at a radius), ``acr``, ``abstain`` (share), ``pa`` (quantile of
            the label's share of the draws).
        at: The radius, or the quantile; None where the quantity takes none.
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
        """Read ``acc@0.5>=0.40``, ``abstain<=0.1``, ``acr>=0.3`` or ``pa@0.5>=0.9``.

        Raises:
            InvalidParameter: If it is no condition, or points the other way than ``side``.
        """
        found = _CONDITION.fullmatch(text)
        if found is None:
            raise InvalidParameter(
                f"{text!r} is no condition; write acc@0.5>=0.40, acr>=0.3, pa@0.5>=0.9 or abstain<=0.1."
            )
        quantity, at, comparator, limit = found.groups()
        if comparator != COMPARATORS[side]:
            raise InvalidParameter(f"--{side} takes conditions with {COMPARATORS[side]}, not {text!r}.")
        if quantity not in _WITHOUT_AT | _WITH_AT.keys() or (at is None) != (quantity in _WITHOUT_AT):
            raise InvalidParameter(
                f"{text!r} names no quantity; there are acc@RADIUS, pa@QUANTILE, acr and abstain."
            )
        try:
            return cls(text.strip(), quantity, None if at is None else Fraction(at), side, Fraction(limit))
        except ValueError:
            raise InvalidParameter(f"{text!r} holds something that is no number.") from None

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
                return self._quantile(results)

    def _quantile(self, results: Results) -> tuple[Fraction, str]:
        if results.recovered or results.label_counts is None:
            raise InvalidParameter(f"{self.text} needs every image's counts, which a log of radii has not.")
        at = float(self.at or 0)
        if not 0 <= at <= 1:
            raise InvalidParameter(f"{self.text}: a quantile lies in [0, 1].")
        order = np.argsort(results.label_counts / results.draws, kind="stable")
        place = order[min(len(order) - 1, max(0, int(np.ceil(at * len(order))) - 1))]
        return _share(int(results.label_counts[place]), int(results.draws[place]))


def _share(count: int, total: int) -> tuple[Fraction, str]:
    share = Fraction(count, total)
    return share, f"{count:,} of {total:,} = {float(share):.6f}"
