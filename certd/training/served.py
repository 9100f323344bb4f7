"""Which images an epoch serves, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class ServedImages:
    """The images that training still sees.

    Attributes:
        num_images: Images of the whole set; an epoch serves so many, whatever was discarded.
        kept: Positions of the images that are left, int64[kept]; None for all, once an epoch each.
        weights: Relative frequency of each kept image, float64[kept]; None without ``kept``.
    """

    num_images: int
    kept: Tensor | None = None
    weights: Tensor | None = None

    @property
    def positions(self) -> Tensor:
        """Return the positions of the images that are left, int64[kept]."""
        return torch.arange(self.num_images) if self.kept is None else self.kept

    def order(self, generator: torch.Generator) -> Tensor:
        """Return the positions that an epoch goes through, int64[num_images].

        Every image once while nothing was discarded; afterwards draws with replacement by weight.
        """
        if self.kept is None or self.weights is None:
            return torch.randperm(self.num_images, generator=generator)
        chances = torch.cumsum(self.weights, 0)
        # torch.multinomial stops at 2**24 categories; a search in the running sum does not.
        points = torch.rand(self.num_images, generator=generator, dtype=torch.float64) * chances[-1]
        found = torch.searchsorted(chances, points, right=True)
        return self.kept[found.clamp(max=len(self.kept) - 1)]

    def members(self) -> dict[str, Tensor]:
        """Return what a saved state keeps of it."""
        if self.kept is None or self.weights is None:
            return {}
        return {"kept": self.kept, "weights": self.weights}
