"""Check, draft and load mixtures of registered models."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pydantic import ValidationError

from certd.errors import InvalidParameter
from certd.models.base_classifier import BaseClassifier
from certd.models.loaders.weights_file import read_file, read_weights
from certd.models.mixing import Mixing, Transform
from certd.models.mixing_network import MixingNetwork
from certd.models.mixture import mix
from certd.models.mixture_specification import MixtureSpecification
from certd.models.networks import read_state
from certd.models.registry import find_model
from certd.models.soup_specification import SoupSpecification
from certd.models.specification import ModelSpecification

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def draft_mixture(  # noqa: PLR0913 - two models, and how they are mixed
    name: str,
    standard: str,
    robust: str,
    weight: float,
    *,
    product: str = "smooth-then-mix",
    standard_scale: float = 1.0,
    robust_scale: float = 1.0,
    robust_transform: Transform | None = None,
    network: str | None = None,
    highest_weight: float | None = None,
    registry: Path | None = None,
) -> MixtureSpecification:
    """Return the entry of a mixture of two registered models; nothing is registered yet.

    Args:
        name: Name to register it under.
        standard: The standard model's name.
        robust: The robust model's name.
        weight: Share of the robust one; with a network, the least.
        product: ``smooth-then-mix`` or ``mix-then-smooth``.
        standard_scale: Multiplies the standard model's logits.
        robust_scale: Multiplies the robust model's logits.
        robust_transform: Transforms them instead.
        network: File of a mixing network, relative to the registry.
        highest_weight: The greatest weight it can choose.
        registry: The operator's YAML file, in which the two may stand.

    Raises:
        InvalidParameter: If the two do not take the same images, or an option is outside its domain.
        NotFound: If a model or the file does not exist.
    """
    parts = [find_model(each, registry=registry) for each in (standard, robust)]
    for part in parts:
        if not isinstance(part, ModelSpecification | SoupSpecification):
            raise InvalidParameter(f"{part.name} is a mixture itself; mix models, not mixtures.")
    if len({(part.input_shape, part.num_classes) for part in parts}) != 1:
        raise InvalidParameter(
            f"{parts[0].name} takes {parts[0].input_shape} and has {parts[0].num_classes} classes, "
            f"{parts[1].name} takes {parts[1].input_shape} and has {parts[1].num_classes}; both must agree."
        )
    folder = None if registry is None else registry.parent
    digest = None
    if network is not None and folder is not None:
        digest = hashlib.sha256(read_file(folder / network)).hexdigest()
    try:
        mixing = Mixing.model_validate(
            {
                "product": product,
                "standard": parts[0].reference,
                "robust": parts[1].reference,
                "weight": weight,
                "highest_weight": highest_weight,
                "network": digest,
                "standard_scale": standard_scale,
                "robust_scale": robust_scale,
                "robust_transform": robust_transform,
                "num_classes": parts[1].num_classes,
            }
        )
        return MixtureSpecification(
            name=name,
            mixture=mixing,
            uri=network,
            input_shape=parts[1].input_shape,
            num_classes=parts[1].num_classes,
            training_sigma=parts[1].training_sigma,
            description=mixing.sentence,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        member = ".".join(str(part) for part in first["loc"]) or "mixture"
        raise InvalidParameter(f"{member}: {first['msg']}.") from error


def load_mixture(
    specification: MixtureSpecification, folder: Path, load: Callable[[str], BaseClassifier]
) -> BaseClassifier:
    """Load the mixture that ``specification`` describes.

    Args:
        specification: The entry.
        folder: What its ``uri`` is relative to.
        load: Loads a registered model by its pinned reference, checking its digest.

    Raises:
        CertdError: As loading either model does; as reading the mixing network does.
    """
    mixing = specification.mixture
    standard, robust = load(mixing.standard), load(mixing.robust)
    network = None
    if specification.uri is not None and mixing.network is not None:
        path = folder / specification.uri
        state = read_state(read_weights(path, mixing.network), path.name)
        high = mixing.weight if mixing.highest_weight is None else mixing.highest_weight
        network = MixingNetwork.of(state, mixing.num_classes, mixing.weight, high)
        parameter = next(iter(robust.module.parameters()), None)
        network.to("cpu" if parameter is None else parameter.device)
    made = mix(specification.name, standard, robust, mixing, network)
    return BaseClassifier(
        made.name,
        made.digest,
        made.module,
        made.input_shape,
        made.num_classes,
        specification=specification,
        mixing=mixing,
        standard=made.standard,
    )
