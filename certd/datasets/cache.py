"""The data set that was used last, kept open: reading a large folder's listing once is enough."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from certd.datasets.dataset import Dataset
from certd.datasets.identity import identities
from certd.datasets.registry import load_dataset
from certd.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from certd.datasets.lazy import LazyDataset


class DatasetCache:
    """Opens registered data sets and keeps the last one; may be shared by threads.

    Args:
        registry: The operator's datasets.yaml, if there is one.
    """

    def __init__(self, registry: Path | None) -> None:
        self._registry = registry
        self._lock = threading.Lock()
        self._key: tuple[str, int | None] | None = None
        self._dataset: Dataset | LazyDataset | None = None

    def get(self, name: str, *, anew: bool = False) -> Dataset | LazyDataset:
        """Return the registered data set, opening it unless it is at hand and the registry is as it was.

        Args:
            name: A registered name.
            anew: Whether to open it in any case.
        """
        with self._lock:
            key = (name, self._registered_at())
            if self._dataset is None or anew or key != self._key:
                self._dataset = load_dataset(name, registry=self._registry)
                self._key = key
            return self._dataset

    def pixels(
        self, name: str, image_ids: NDArray[np.uint64], seen: NDArray[np.uint64] | None
    ) -> NDArray[np.uint8]:
        """Return the images of some ids, uint8[image, channel, height, width], as a job saw them.

        Args:
            name: A registered name.
            image_ids: Which, in this order.
            seen: What identified them and their labels when the job was submitted, see
                :func:`certd.datasets.identity.identities`; None if the job does not say.

        Raises:
            Conflict: If they are others by now. What was opened before the change is opened once more first.
        """
        for anew in (False, True):
            whole = self.get(name, anew=anew)
            if int(image_ids.max(initial=0)) < len(whole):
                chosen = whole.select(indices=image_ids.tolist())
                if seen is None or np.array_equal(identities(chosen), seen):
                    return chosen.images[:]
        raise Conflict(
            f"The data set {name!r} changed since submission: its images or labels are no longer those that "
            "the job was asked about. Submit it again, or put the set back as it was first."
        )

    def select(self, name: str, image_ids: Sequence[int]) -> Dataset:
        """Return the images of some ids, in memory and in this order."""
        chosen = self.get(name).select(indices=image_ids)
        return chosen if isinstance(chosen, Dataset) else next(iter(chosen.parts(max(1, len(chosen)))))

    def _registered_at(self) -> int | None:
        """Return when the registry was written last; None where there is none."""
        if self._registry is None or not self._registry.exists():
            return None
        return self._registry.stat().st_mtime_ns
