"""The data set that was used last, kept open: reading a large folder's listing once is enough."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from certd.datasets.dataset import Dataset
from certd.datasets.registry import load_dataset

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from certd.datasets.lazy import LazyDataset


class DatasetCache:
    """Opens registered data sets and keeps the last one; may be shared by threads.

    Args:
        registry: The operator's datasets.yaml, if there is one.
    """

    def __init__(self, registry: Path | None) -> None:
        self._registry = registry
        self._lock = threading.Lock()
        self._name: str | None = None
        self._dataset: Dataset | LazyDataset | None = None

    def get(self, name: str) -> Dataset | LazyDataset:
        """Return the registered data set, opening it unless it is at hand."""
        with self._lock:
            if self._dataset is None or name != self._name:
                self._dataset = load_dataset(name, registry=self._registry)
                self._name = name
            return self._dataset

    def select(self, name: str, image_ids: Sequence[int]) -> Dataset:
        """Return the images of some ids, in memory and in this order."""
        chosen = self.get(name).select(indices=image_ids)
        return chosen if isinstance(chosen, Dataset) else next(iter(chosen.parts(max(1, len(chosen)))))
