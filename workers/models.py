"""Models a worker keeps ready, the least recently used leaving first."""

from __future__ import annotations

from contextlib import nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING

from certd.errors import ModelError
from certd.models import BaseClassifier, load_model
from certd.models.runtime.prepare import prepare
from certd.models.soup_family import CalibrationImages, SoupFamily
from certd.smoothing.certifier import Certifier
from certd.smoothing.settling import settle, settled_as

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from certd.datasets import Dataset
    from certd.models.recipe import CalibrationPlan, Recipe
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
        images: Reads images of a data set by their ids, for what is calibrated on some.

    What is made by a recipe is made here, from registered models whose digests are checked. The ingredients
    of one recipe are kept, on the processor, and of the soups the last few: never a whole grid of them.
    """

    def __init__(
        self,
        device: str,
        registry: Path | None,
        capacity: int = 4,
        timed: Callable[[str], AbstractContextManager[object]] = nullcontext,
        images: Callable[[str, tuple[int, ...]], Dataset] | None = None,
    ) -> None:
        self._images = images
        self._family = lru_cache(1)(self._gather)
        self._cooked = lru_cache(capacity)(self._cook)
        self._timed = timed
        self._device = device
        self._registry = registry
        self._loaded = lru_cache(capacity)(self._load)
        self._prepared = lru_cache(capacity)(self._prepare)

    def cook(self, recipe: Recipe) -> BaseClassifier:
        """Return what a recipe makes, on this worker's device.

        Raises:
            NegativeVariance: If its averaged statistics make no network.
            CertdError: As loading an ingredient does; if the ingredients are not alike.
        """
        return self._cooked(recipe)

    def certifier(
        self,
        certification: Certification,
        num_images: int,
        begun: Execution | None = None,
        recipe: Recipe | None = None,
    ) -> Certifier:
        """Return a certifier, loading, checking and preparing its model unless that was done before.

        Args:
            certification: What the job asks for.
            num_images: Images of the whole job, on which may depend what the job leaves open.
            begun: How the job's classifier is executed, once a worker has begun.
            recipe: Of what the model is made, where it is not registered.
        """
        classifier = self._classifier(certification.model, recipe)
        if begun is None:
            certification = settle(classifier, certification, num_images, self._device)
        else:
            certification = settled_as(certification, begun)
        prepared = self._prepared(certification.model, recipe, certification.execution, certification.rows)
        return Certifier(classifier, certification, self._device, prepared)

    def _classifier(self, reference: str, recipe: Recipe | None) -> BaseClassifier:
        return self._loaded(reference) if recipe is None else self._cooked(recipe)

    def _gather(self, ingredients: tuple[str, ...], calibration: CalibrationPlan | None) -> SoupFamily:
        """Load the ingredients of soups; averages are taken on the processor, the same on every device."""
        with self._timed("load"):
            return SoupFamily(
                ingredients,
                lambda each: load_model(each, registry=self._registry),
                None if calibration is None else self._calibration(calibration),
            )

    def _calibration(self, plan: CalibrationPlan) -> CalibrationImages:
        if self._images is None:
            raise ModelError("This worker reads no data sets, so it cannot estimate statistics.")
        images = self._images(plan.dataset, plan.image_ids)
        return CalibrationImages(images, plan.sigma, plan.seed, plan.batch_size)

    def _cook(self, recipe: Recipe) -> BaseClassifier:
        family = self._family(recipe.ingredients, recipe.calibration)
        made = (
            family.ensemble()
            if recipe.weights is None
            else family.cook(recipe.name, recipe.weights, recipe.units).classifier
        )
        made.module.to(self._device)
        return made

    def _load(self, reference: str) -> BaseClassifier:
        with self._timed("load"):
            return load_model(reference, self._device, registry=self._registry)

    def _prepare(
        self, reference: str, recipe: Recipe | None, execution: ExecutionArithmetic, rows: int
    ) -> PreparedClassifier:
        classifier = self._classifier(reference, recipe)
        with self._timed("prepare"):
            return prepare(classifier, execution, rows, self._device)
