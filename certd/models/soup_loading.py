"""Draft and load soups of registered models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from certd.errors import InvalidParameter, ModelError
from certd.models.base_classifier import BaseClassifier, require_no_mixture
from certd.models.ingredients import require_ingredients
from certd.models.loaders.weights_file import read_weights
from certd.models.networks import read_state
from certd.models.normalized import Normalized
from certd.models.registry import find_model
from certd.models.soup_specification import Calibration, Soup, SoupSpecification
from certd.models.soups import require_variances, soup

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import torch


def draft_soup(  # noqa: PLR0913 - a soup, and where its parts and its statistics lie
    name: str,
    ingredients: Sequence[str],
    weights: Sequence[int],
    units: int,
    *,
    calibration: Calibration | None = None,
    uri: str | None = None,
    registry: Path | None = None,
) -> SoupSpecification:
    """Return the entry of a soup of registered models; nothing is registered yet.

    Args:
        name: Name to register it under.
        ingredients: The models' names.
        weights: In steps of ``1 / units``, one an ingredient, summing to ``units``.
        units: Steps of one whole.
        calibration: Where its batch-norm statistics come from, if they are not averaged.
        uri: File of those statistics, relative to the registry.
        registry: The operator's YAML file, in which the ingredients may stand.

    Raises:
        InvalidParameter: If the ingredients are not alike, or the weights are not one in all.
        NotFound: If an ingredient does not exist.
    """
    parts = [find_model(each, registry=registry) for each in ingredients]
    require_ingredients(parts)
    try:
        made = Soup(
            ingredients=tuple(part.reference for part in parts),
            weights=tuple(weights),
            units=units,
            calibration=calibration,
        )
        sigmas = {part.training_sigma for part in parts}
        return SoupSpecification(
            name=name,
            soup=made,
            uri=uri,
            input_shape=parts[0].input_shape,
            num_classes=parts[0].num_classes,
            training_sigma=sigmas.pop() if len(sigmas) == 1 else None,
            description=made.sentence,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        member = ".".join(str(part) for part in first["loc"]) or "soup"
        raise InvalidParameter(f"{member}: {first['msg']}.") from error


def load_soup(
    specification: SoupSpecification, folder: Path, load: Callable[[str], BaseClassifier]
) -> BaseClassifier:
    """Load the soup that ``specification`` describes.

    Args:
        specification: The entry.
        folder: What its ``uri`` is relative to.
        load: Loads a registered model by its pinned reference, checking its digest.

    Raises:
        InvalidParameter: If the ingredients are not alike, or an averaged variance is negative.
        CertdError: As loading an ingredient does; as reading the statistics does.
    """
    made = specification.soup
    statistics = None
    if specification.uri is not None and made.calibration is not None:
        path = folder / specification.uri
        statistics = read_state(read_weights(path, made.calibration.statistics), path.name)
    loaded = [load(each) for each in made.ingredients]
    module = average(loaded, made.weights, made.units, statistics)
    return BaseClassifier(
        name=specification.name,
        digest=specification.digest,
        module=module,
        input_shape=specification.input_shape,
        num_classes=specification.num_classes,
        specification=specification,
    )


def average(
    ingredients: Sequence[BaseClassifier],
    weights: Sequence[int],
    units: int,
    statistics: dict[str, torch.Tensor] | None = None,
    *,
    checked: bool = True,
) -> Normalized:
    """Return the average of loaded classifiers as a network; it takes over the first one's module.

    Args:
        ingredients: Of one architecture and one normalisation.
        weights: In steps of ``1 / units``, one an ingredient.
        units: Steps of one whole.
        statistics: Batch-norm statistics that replace the averaged ones.
        checked: Whether a negative variance is refused; not before statistics are estimated anew.

    Raises:
        InvalidParameter: If the ingredients differ in more than their values, one is a mixture, or a variance
            is negative.
        ModelError: If the statistics are not those of this network.
    """
    require_no_mixture(ingredients)
    modules = [each.module for each in ingredients]
    first = modules[0]
    if not isinstance(first, Normalized) or not first.network.state_dict():
        raise InvalidParameter("A soup averages weights that certd can read; ONNX graphs keep theirs inside.")
    # The state of every ingredient is taken before the first module is overwritten.
    state = soup([{k: v.clone() for k, v in module.state_dict().items()} for module in modules],
                 weights, units)  # fmt: skip
    if statistics is not None:
        _replace(state, statistics)
    if checked:
        require_variances(state)
    first.load_state_dict(state)
    return first


def _replace(state: dict[str, torch.Tensor], statistics: dict[str, torch.Tensor]) -> None:
    for name, values in statistics.items():
        known = state.get(name)
        if known is None or known.shape != values.shape or known.dtype != values.dtype:
            raise ModelError(f"The statistics hold {name}, which this soup has not; estimate them anew.")
        state[name] = values.to(known.device)
