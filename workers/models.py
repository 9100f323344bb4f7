"""Models a worker keeps ready, the least recently used leaving first."""

from __future__ import annotations

from contextlib import nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING

from certd.models import BaseClassifier, load_model
from certd.models.runtime.prepare import prepare
from certd.smoothing.certifier import Certifier
from certd.smoothing.settling import settle, settled_as

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from certd.models.runtime.arithmetic import Execution, ExecutionArithmetic
    from certd.models.runtime.prepared import PreparedClassifier
    from certd.smoothing.request import Certification


class ModelCache:
    """The last few models as they were executed, so that the next shard starts at once.

    Args:
        device: Where models are put.
        registry: The operator's models.yaml, if there is one.
        capacity: How many are kept.
        timed: Entered while a model is loaded, and while it is prepared, under the name of the step.
    """

    def __init__(
        self,
        device: str,
        registry: Path | None,
        capacity: int = 4,
        timed: Callable[[str], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._timed = timed
        self._device = device
        self._registry = registry
        self._loaded = lru_cache(capacity)(self._load)
        self._prepared = lru_cache(capacity)(self._prepare)

    def certifier(
        self, certification: Certification, num_images: int, begun: Execution | None = None
    ) -> Certifier:
        """Return a certifier, loading, checking and preparing its model unless that was done before.

        Args:
            certification: What the job asks for.
            num_images: Images of the whole job, on which may depend what the job leaves open.
            begun: How the job's classifier is executed, once a worker has begun.
        """
        classifier = self._loaded(certification.model)
        if begun is None:
            certification = settle(classifier, certification, num_images, self._device)
        else:
            certification = settled_as(certification, begun)
        prepared = self._prepared(certification.model, certification.execution, certification.rows)
        return Certifier(classifier, certification, self._device, prepared)

    def _load(self, reference: str) -> BaseClassifier:
        with self._timed("load"):
            return load_model(reference, self._device, registry=self._registry)

    def _prepare(self, reference: str, execution: ExecutionArithmetic, rows: int) -> PreparedClassifier:
        classifier = self._loaded(reference)
        with self._timed("prepare"):
            return prepare(classifier, execution, rows, self._device)
