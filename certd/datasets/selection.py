"""Choose positions in a set of known length."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Selection:
    """Every ``skip``-th position from ``start`` to ``stop``, at most ``limit`` or a ``sample`` of them.

    Attributes:
        skip: Step, at least 1.
        start: First position, at least 0.
        stop: Position after the last one; None for the end of the set.
        limit: Most positions, at least 1; None for all.
        indices: Distinct positions in the order wanted, instead of all the others.
        sample: Keep so many of the positions, drawn at random and in their order; at least 1.
        sample_seed: Chooses the sample; the same on every machine.

    References:
        ``skip`` is that of Cohen, Rosenfeld and Kolter (2019), arXiv:1902.02918, ``certify.py``.
    """

    skip: int = 1
    start: int = 0
    stop: int | None = None
    limit: int | None = None
    indices: Sequence[int] | None = None
    sample: int | None = None
    sample_seed: int = 0

    def positions(self, length: int) -> NDArray[np.intp]:
        """Return the positions chosen from a set of ``length`` images; never none, never a clipped range.

        Returns:
            Distinct positions in ``[0, length)``, at least one.

        Raises:
            InvalidParameter: If a member lies outside its domain, or ``indices`` comes with another one.
        """
        if self.indices is not None:
            self._require_indices_alone()
            return _distinct_positions(self.indices, length)
        end = length if self.stop is None else self.stop
        self._require_range(end, length)
        return self._sampled(np.arange(self.start, end, self.skip, dtype=np.intp)[: self.limit])

    def _sampled(self, positions: NDArray[np.intp]) -> NDArray[np.intp]:
        if self.sample is None:
            return positions
        if not 1 <= self.sample <= len(positions):
            raise InvalidParameter(
                f"sample must lie in [1, {len(positions)}], not at {self.sample}.", pointer="/sample"
            )
        # PCG64 and its permutation are fixed by NumPy's compatibility policy for streams of a bit generator.
        drawn = np.argsort(np.random.Generator(np.random.PCG64(self.sample_seed)).random(len(positions)))
        return np.sort(positions[drawn[: self.sample]])

    def _require_indices_alone(self) -> None:
        if (self.skip, self.start, self.stop, self.limit, self.sample) != (1, 0, None, None, None):
            raise InvalidParameter(
                "Give either indices, or skip, start, stop, limit and sample.", pointer="/indices"
            )

    def _require_range(self, end: int, length: int) -> None:
        if self.skip < 1:
            raise InvalidParameter(f"skip must be at least 1, not {self.skip}.", pointer="/skip")
        if not 0 <= self.start < length:
            raise InvalidParameter(f"start must lie in [0, {length}), not at {self.start}.", pointer="/start")
        if not self.start < end <= length:
            raise InvalidParameter(
                f"stop must lie in ({self.start}, {length}], not at {end}.", pointer="/stop"
            )
        if self.limit is not None and self.limit < 1:
            raise InvalidParameter(f"limit must be at least 1, not {self.limit}.", pointer="/limit")


def selection_digest(image_ids: NDArray[np.uint64]) -> str:
    """Return the SHA-256 of the ids of the chosen images, in their order, in lower-case hexadecimal.

    Two runs with one data set and one digest looked at the same images; it is the same on every machine.
    """
    return hashlib.sha256(image_ids.astype("<u8").tobytes()).hexdigest()


def _distinct_positions(indices: Sequence[int], length: int) -> NDArray[np.intp]:
    if not indices:
        raise InvalidParameter("indices is empty; name at least one image.", pointer="/indices")
    outside = next((index for index in indices if not 0 <= index < length), None)
    if outside is not None:
        raise InvalidParameter(f"Index {outside} lies outside [0, {length}).", pointer="/indices")
    if len(set(indices)) != len(indices):
        raise InvalidParameter("indices names an image twice; each image counts once.", pointer="/indices")
    return np.asarray(indices, dtype=np.intp)
