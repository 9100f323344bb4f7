"""Models a worker keeps loaded, the least recently used leaving first."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from certd.models import BaseClassifier, load_model

if TYPE_CHECKING:
    from pathlib import Path


class ModelCache:
    """The last few models, keyed by ``name@sha256``.

    Args:
        device: Where models are put.
        registry: The operator's models.yaml, if there is one.
        capacity: How many are kept.
    """

    def __init__(self, device: str, registry: Path | None, capacity: int = 4) -> None:
        self._device = device
        self._registry = registry
        self._capacity = capacity
        self._models: OrderedDict[str, BaseClassifier] = OrderedDict()

    def get(self, reference: str) -> BaseClassifier:
        """Return the model, loading and checking it unless it is at hand."""
        if reference not in self._models:
            self._models[reference] = load_model(reference, self._device, registry=self._registry)
            while len(self._models) > self._capacity:
                self._models.popitem(last=False)
        self._models.move_to_end(reference)
        return self._models[reference]
