"""All soups of some ingredients, built one after another from weights that are loaded once."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certd.models.base_classifier import BaseClassifier
from certd.models.ensemble_loading import ensemble_of
from certd.models.loaders.safetensors import read_safetensors
from certd.models.soup_calibration import estimate_statistics
from certd.models.soup_loading import average
from certd.models.soup_specification import ENSEMBLE, Soup

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from certd.datasets import Dataset


@dataclass(frozen=True, slots=True)
class CalibrationImages:
    """Images on which the batch-norm statistics of every soup are estimated, and how.

    Attributes:
        images: Disjoint from those that are certified.
        sigma: Noise added to them, input units.
        seed: Of that noise; one for all soups, so that equal soups get equal statistics.
        batch_size: Images of one pass.
    """

    images: Dataset
    sigma: float
    seed: int
    batch_size: int

    def told(self) -> dict[str, Any]:
        """Return what is used and how, as the question of a sweep keeps it."""
        ids = [int(each) for each in self.images.image_ids]
        return {"dataset": self.images.name, "image_ids": ids, "sigma": self.sigma, "seed": self.seed,
                "batch_size": self.batch_size}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cooked:
    """A soup ready to be certified.

    Attributes:
        classifier: The average, under the digest that a registered soup of these parts has.
        soup: What it is made of.
        statistics: The safetensors file of its estimated statistics; None where they are averaged.
    """

    classifier: BaseClassifier
    soup: Soup
    statistics: bytes | None


class SoupFamily:
    """The soups of some ingredients.

    Args:
        ingredients: Registered models of one architecture, as ``load`` knows them.
        load: Loads a registered model by its reference.
        calibration: Where statistics come from; None averages them.

    Raises:
        CertdError: As loading an ingredient does.
    """

    def __init__(
        self,
        ingredients: Sequence[str],
        load: Callable[[str], BaseClassifier],
        calibration: CalibrationImages | None = None,
    ) -> None:
        self._parts = [load(each) for each in ingredients]
        self._calibration = calibration

    def cook(self, name: str, weights: Sequence[int], units: int) -> Cooked:
        """Return one soup.

        Raises:
            InvalidParameter: If the ingredients are not alike, or an averaged variance is negative.
        """
        parts = [_copied(self._parts[0]), *self._parts[1:]]
        given, content = self._calibration, None
        soup = Soup(
            ingredients=tuple(part.reference for part in self._parts), weights=tuple(weights), units=units
        )
        if given is None:
            module = average(parts, weights, units)
        else:
            found, content = estimate_statistics(
                parts, weights, units, given.images,
                sigma=given.sigma, seed=given.seed, batch_size=given.batch_size,
            )  # fmt: skip
            soup = soup.model_copy(update={"calibration": found})
            again = [_copied(self._parts[0]), *self._parts[1:]]
            # As loading it from the registry does, so that both are one classifier.
            module = average(again, weights, units, read_safetensors(content, name))
        shape, classes = self._parts[0].input_shape, self._parts[0].num_classes
        return Cooked(BaseClassifier(name, soup.digest, module, shape, classes), soup, content)

    def ensemble(self) -> BaseClassifier:
        """Return the ensemble of all ingredients: probabilities averaged, at the price of all."""
        return ensemble_of(ENSEMBLE, [_copied(part) for part in self._parts])


def _copied(part: BaseClassifier) -> BaseClassifier:
    return BaseClassifier(
        part.name, part.digest, copy.deepcopy(part.module), part.input_shape, part.num_classes,
        specification=part.specification,
    )  # fmt: skip
