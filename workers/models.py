"""Models a worker keeps ready, the least recently used leaving first."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from certd.models import BaseClassifier, load_model
from certd.models.runtime.prepare import prepare
from certd.smoothing.certifier import Certifier

if TYPE_CHECKING:
    from pathlib import Path

    from certd.models.runtime.prepared import PreparedClassifier
    from certd.smoothing.request import Certification


class ModelCache:
    """The last few models as they were executed, so that the next shard starts at once.

    Args:
        device: Where models are put.
        registry: The operator's models.yaml, if there is one.
        capacity: How many are kept.
    """

    def __init__(self, device: str, registry: Path | None, capacity: int = 4) -> None:
        self._device = device
        self._registry = registry
        self._capacity = capacity
        self._ready: OrderedDict[str, tuple[BaseClassifier, PreparedClassifier]] = OrderedDict()

    def certifier(self, certification: Certification) -> Certifier:
        """Return a certifier, loading, checking and preparing its model unless that was done before."""
        key = f"{certification.model} {certification.batch_size} {certification.execution.model_dump_json()}"
        if key not in self._ready:
            self._ready[key] = self._prepare(certification)
            while len(self._ready) > self._capacity:
                self._ready.popitem(last=False)
        self._ready.move_to_end(key)
        classifier, prepared = self._ready[key]
        return Certifier(classifier, certification, self._device, prepared)

    def _prepare(self, certification: Certification) -> tuple[BaseClassifier, PreparedClassifier]:
        classifier = load_model(certification.model, self._device, registry=self._registry)
        execution, batch_size = certification.execution, certification.batch_size
        return classifier, prepare(classifier, execution, batch_size, self._device)
