"""A claim: a paper, and for each of its models what it is said to reach, in per cent as it was printed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from certd.errors import UnreadableInput

if TYPE_CHECKING:
    from collections.abc import Iterable

NORMS = ("Linf", "L2", "L1")
SAME_EPS = Fraction(1, 10**6)
MOST_DIGITS = 20
AUTOATTACK = "AutoAttack"
_SPELLINGS = {"autoattack", "autoattackstandard", "standardautoattack"}
_NUMBER = re.compile(r"\d{1,12}(\.\d{1,20})?")


@dataclass(frozen=True, slots=True)
class Threat:
    """What an attacker may do.

    Attributes:
        norm: ``Linf``, ``L2`` or ``L1``; another threat under its own name, such as ``corruptions``.
        eps: Radius of the ball, pixels in [0, 1]; None where the threat has none.
    """

    norm: str
    eps: Fraction | None

    def __str__(self) -> str:
        return self.norm if self.eps is None else f"{self.norm}, eps {printed_eps(self.eps)}"

    def is_like(self, other: Threat) -> bool:
        """Return whether two threats are one: ``8/255`` and its decimals are."""
        if self.norm.casefold() != other.norm.casefold() or (self.eps is None) != (other.eps is None):
            return False
        return self.eps is None or other.eps is None or abs(self.eps - other.eps) <= SAME_EPS


@dataclass(frozen=True, slots=True)
class ClaimedModel:
    """One model of a claim, or of an evaluation.

    Attributes:
        architecture: As its authors call it.
        dataset: None where a form leaves it out.
        threat: What robust accuracy is against.
        clean_accuracy: In per cent, with the digits that were printed; None where it is not said.
        robust_accuracy: The same, under the attack of ``evaluation``. Never a certified accuracy.
        additional_data: Whether more than the training set was used; None where it is not said.
        remark: What stands behind that answer.
        evaluation: The attack, such as ``AutoAttack``.
        checkpoint: Where weights and code are said to be; never opened.
        certified: Certified accuracies in per cent by radius, both as printed: their own field.
        others: Further members, by name, as they stand.
    """

    architecture: str
    dataset: str | None
    threat: Threat
    clean_accuracy: Decimal | None
    robust_accuracy: Decimal | None
    additional_data: bool | None = None
    remark: str = ""
    evaluation: str = ""
    checkpoint: str = ""
    certified: tuple[tuple[str, str], ...] = ()
    others: tuple[tuple[str, str], ...] = ()

    @property
    def by_autoattack(self) -> bool:
        """Return whether AutoAttack, as it is published, measured the robust accuracy."""
        return bare_name(self.evaluation) in _SPELLINGS


@dataclass(frozen=True, slots=True)
class Claim:
    """A paper and its models."""

    title: str
    url: str
    authors: str
    models: tuple[ClaimedModel, ...]
    venue: str = ""


def parse_percent(text: str, name: str) -> Decimal | None:
    """Read ``85.21 %`` or ``85.21`` with its digits; an empty text is None.

    Raises:
        UnreadableInput: If it is no percentage.
    """
    plain = text.strip().removesuffix("%").strip()
    if not plain:
        return None
    if not _NUMBER.fullmatch(plain) or Decimal(plain) > 100:
        raise UnreadableInput(f"{name}: {text.strip()[:40]!r} is no percentage; write 85.21 or 85.21 %.")
    return Decimal(plain)


def parse_certified(pairs: Iterable[tuple[str, str]], name: str) -> tuple[tuple[str, str], ...]:
    """Return certified accuracies by radius as they stand, each known to be a percentage at a radius.

    Raises:
        UnreadableInput: If one is not.
    """
    found = tuple(pairs)
    for radius, share in found:
        said = f"{name}{radius[:20]}"
        if parse_eps(radius, said) is None or parse_percent(share, said) is None:
            raise UnreadableInput(f"{said}: write a percentage at a radius, such as 42.60 at 0.5.")
    return found


def parse_fraction(share: Decimal, name: str) -> Decimal:
    """Return the percentage of a share in [0, 1], or of what is a percentage already.

    Raises:
        UnreadableInput: If it is neither.
    """
    if not share.is_finite() or share < 0 or -share.adjusted() > MOST_DIGITS:
        raise UnreadableInput(f"{name}: this is no share; write a number in [0, 1], or a percentage as text.")
    if share > 1:
        return parse_percent(str(share), name) or Decimal(0)
    percentage = (100 * share).normalize()
    return percentage.quantize(Decimal(1)) if percentage == percentage.to_integral_value() else percentage


def parse_eps(text: str, name: str = "eps") -> Fraction | None:
    """Read ``8/255``, ``8 / 255`` or a decimal; an empty text is None.

    Raises:
        UnreadableInput: If it is no number in [0, 255].
    """
    parts = [part.strip() for part in text.split("/")]
    if parts == [""]:
        return None
    if len(parts) > 2 or not all(_NUMBER.fullmatch(part) for part in parts) or not Fraction(parts[-1]):
        raise UnreadableInput(f"{name}: {text.strip()[:40]!r} is no radius; write 8/255 or 0.5.")
    eps = Fraction(parts[0]) / (Fraction(parts[1]) if len(parts) == 2 else 1)
    levels = round(eps * 255)
    return Fraction(levels, 255) if abs(eps - Fraction(levels, 255)) <= SAME_EPS else eps


def parse_norm(text: str) -> str:
    """Return a norm as leaderboards write it; another threat keeps its own name."""
    plain = text.strip()
    known = {norm.casefold(): norm for norm in NORMS}
    return known.get(plain.casefold().replace("∞", "inf").replace("l_", "l"), plain)


def bare_name(text: str) -> str:
    """Return letters and digits alone: names are one however they are spelled."""
    return re.sub(r"[^a-z0-9]", "", text.casefold())


def printed_eps(eps: Fraction) -> str:
    """Print a radius so that it is read back unchanged: over 255 where that is exact, else as a decimal."""
    levels = eps * 255
    if levels.denominator == 1:
        return f"{levels}/255"
    if 10**MOST_DIGITS % eps.denominator:
        return f"{eps.numerator}/{eps.denominator}"
    return str(Decimal(eps.numerator) / Decimal(eps.denominator))
