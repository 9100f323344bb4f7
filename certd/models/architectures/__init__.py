"""Networks that can be rebuilt by name, one a file."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from certd.models.architectures.digits_cnn import DigitsCnn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import nn

__all__ = ["ARCHITECTURES", "DigitsCnn"]

ARCHITECTURES: Mapping[str, Callable[[tuple[int, int, int], int], nn.Module]] = MappingProxyType(
    {"digits-cnn": DigitsCnn}
)
"""Each builds a network, without weights, for an input shape and a number of classes."""
