"""Models a worker keeps loaded, the least recently used leaving first."""

from __future__ import annotations

from collections import OrderedDict

from certd.models import BaseClassifier, load_model


class ModelCache:
    """The last few models, keyed by ``name@sha256``.

    Args:
        device: Where models are put.
        capacity: How many are kept.
    """

    def __init__(self, device: str, capacity: int = 4) -> None:
        self._device = device
        self._capacity = capacity
        self._models: OrderedDict[str, BaseClassifier] = OrderedDict()

    def get(self, reference: str) -> BaseClassifier:
        """Return the model, loading and checking it unless it is at hand."""
        if reference not in self._models:
            self._models[reference] = load_model(reference, self._device)
            while len(self._models) > self._capacity:
                self._models.popitem(last=False)
        self._models.move_to_end(reference)
        return self._models[reference]
