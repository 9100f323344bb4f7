"""Draft and load ensembles of registered models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from pydantic import ValidationError
from torch import nn

from certd.errors import InvalidParameter
from certd.models.base_classifier import BaseClassifier, require_no_mixture
from certd.models.ensemble_specification import EnsembleSpecification, ensemble_digest
from certd.models.registry import find_model
from certd.models.soup_specification import SoupSpecification
from certd.models.specification import ModelSpecification

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


class Ensemble(nn.Module):
    """Average the probabilities of networks.

    Args:
        members: From images to logits ``[image, class]``.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logarithms of summed probabilities ``[image, class]``; the largest is its answer."""
        logs = torch.stack([member(images).log_softmax(dim=1) for member in self.members])
        return logs.logsumexp(dim=0)


def draft_ensemble(
    name: str, members: Sequence[str], *, registry: Path | None = None
) -> EnsembleSpecification:
    """Return the entry of an ensemble of registered models; nothing is registered yet.

    Args:
        name: Name to register it under.
        members: The models' names; of any architectures that take the same images and tell the same classes.
        registry: The operator's YAML file, in which the members may stand.

    Raises:
        InvalidParameter: If there are fewer than two, one is made of others in another way than a soup, or
            two take other images or classes.
        NotFound: If a member does not exist.
    """
    parts = [find_model(each, registry=registry) for each in members]
    for part in parts:
        if not isinstance(part, ModelSpecification | SoupSpecification):
            raise InvalidParameter(
                f"{part.name} is made of others itself; an ensemble takes models and soups."
            )
        if (part.input_shape, part.num_classes) != (parts[0].input_shape, parts[0].num_classes):
            raise InvalidParameter(f"{part.name} and {parts[0].name} take other images or classes.")
    if len(parts) < 2:
        raise InvalidParameter("An ensemble needs at least two members.")
    sigmas = {part.training_sigma for part in parts}
    try:
        return EnsembleSpecification(
            name=name,
            ensemble=tuple(part.reference for part in parts),
            input_shape=parts[0].input_shape,
            num_classes=parts[0].num_classes,
            training_sigma=sigmas.pop() if len(sigmas) == 1 else None,
            description=f"ensemble of {', '.join(part.name for part in parts)}: probabilities averaged",
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InvalidParameter(f"{first['loc'][0]}: {first['msg']}.") from error


def load_ensemble(
    specification: EnsembleSpecification, load: Callable[[str], BaseClassifier]
) -> BaseClassifier:
    """Load the ensemble that ``specification`` describes.

    Args:
        specification: The entry.
        load: Loads a registered model by its pinned reference, checking its digest.

    Raises:
        CertdError: As loading a member does.
    """
    return ensemble_of(specification.name, [load(each) for each in specification.ensemble], specification)


def ensemble_of(
    name: str, members: Sequence[BaseClassifier], specification: EnsembleSpecification | None = None
) -> BaseClassifier:
    """Return the ensemble of loaded classifiers, whose modules it takes over.

    Args:
        name: What it is called.
        members: Of the same images and classes.
        specification: The entry that it is loaded from, if there is one.

    Raises:
        InvalidParameter: If two take other images or classes, or one is a mixture.
    """
    require_no_mixture(members)
    first = members[0]
    for part in members[1:]:
        if (part.input_shape, part.num_classes) != (first.input_shape, first.num_classes):
            raise InvalidParameter(f"{part.name} and {first.name} take other images or classes.")
    return BaseClassifier(
        name=name,
        digest=ensemble_digest([part.digest for part in members]),
        module=Ensemble([part.module for part in members]),
        input_shape=first.input_shape,
        num_classes=first.num_classes,
        specification=specification,
    )
