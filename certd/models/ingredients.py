"""Which registered models can be averaged. Needs no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.errors import InvalidParameter
from certd.models.specification import ModelSpecification

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certd.models.registry import Specification

ALIKE = ("architecture", "input_shape", "num_classes", "mean", "std")


def require_ingredients(parts: Sequence[Specification]) -> None:
    """Refuse models of which no soup can be made, as far as their entries tell; weights are not looked at.

    Raises:
        InvalidParameter: If there is none, one is made of others itself, or two differ in what they are.
    """
    if not parts:
        raise InvalidParameter("A soup needs at least one ingredient.")
    first = parts[0]
    for part in parts:
        if not isinstance(part, ModelSpecification):
            raise InvalidParameter(
                f"{part.name} is made of others itself; a soup takes models that have weights."
            )
        for member in ALIKE:
            ours, theirs = getattr(part, member), getattr(first, member)
            if ours != theirs:
                raise InvalidParameter(
                    f"{part.name} and {first.name} cannot be averaged: {member} is {ours} and {theirs}."
                )
