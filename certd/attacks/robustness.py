"""An evaluation with AutoAttack: part by part, attack by attack, each only on what still stands."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from certd.attacks.stages import CLEAN, Stage
from certd.errors import Conflict, InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from certd.attacks.auto_attack import AutoAttacker
    from certd.datasets import Dataset, LazyDataset


def missing_stages(
    attacker: AutoAttacker, images: Dataset | LazyDataset, batch_size: int, done: Sequence[Stage] = ()
) -> Iterator[Stage]:
    """Carry out the stages that are not done yet, one at a time.

    Args:
        attacker: What attacks.
        images: With labels.
        batch_size: Images of a part, at least 1.
        done: Stages that an earlier run finished.

    Yields:
        Each stage when it is finished; stopping between two loses nothing.

    Raises:
        InvalidParameter: If there are no labels.
        Conflict: If a stage that is done was of other images.
    """
    labels = images.labels
    if labels is None:
        raise InvalidParameter("An attack goes away from the label; this data set has none.")
    order = (CLEAN, *attacker.attacks)
    for part, begin in enumerate(range(0, len(images), batch_size)):
        finished = [stage for stage in done if stage.part == part]
        if len(finished) < len(order):
            rows = np.arange(begin, min(begin + batch_size, len(images)))
            pixels = np.ascontiguousarray(images.images[rows])
            shown = _Part(part, pixels, np.asarray(labels)[rows], np.asarray(images.image_ids)[rows])
            yield from shown.stages(attacker, order, finished)


class _Part:
    """Images that are attacked together."""

    def __init__(
        self, part: int, pixels: NDArray[np.uint8], labels: NDArray[np.int64], ids: NDArray[np.uint64]
    ) -> None:
        self._part, self._labels, self._ids = part, labels.astype(np.int64), ids
        self._digest = hashlib.sha256(pixels.tobytes() + self._labels.tobytes()).hexdigest()
        self._pixels = pixels.astype(np.float32) / np.float32(255)

    def stages(
        self, attacker: AutoAttacker, order: Sequence[str], finished: Sequence[Stage]
    ) -> Iterator[Stage]:
        if any(stage.pixels != self._digest for stage in finished):
            raise Conflict(f"Part {self._part} of the images is not what it was; begin another file.")
        stands = np.ones(len(self._ids), np.bool_)
        for stage in finished:
            stands &= ~np.isin(self._ids, np.array(stage.fallen, np.uint64))
        for attack in order[len(finished) :]:
            stage, stands = self._stage(attacker, attack, stands)
            yield stage

    def _stage(
        self, attacker: AutoAttacker, attack: str, stands: NDArray[np.bool_]
    ) -> tuple[Stage, NDArray[np.bool_]]:
        shown, labels = self._pixels[stands], self._labels[stands]
        warnings: list[str] = []
        fell = np.zeros(len(shown), np.bool_)
        if attack == CLEAN:
            fell = ~attacker.right(shown, labels)
        elif len(shown):
            fell, warnings = attacker.fallen(attack, shown, labels)
        fallen = tuple(int(image) for image in self._ids[stands][fell])
        left = stands.copy()
        left[stands] = ~fell
        return Stage(self._part, attack, len(shown), fallen, self._digest, tuple(warnings)), left
