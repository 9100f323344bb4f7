"""Published training runs, by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from certd.errors import InvalidParameter, NotFound
from certd.training.easy_images import EasyImages
from certd.training.recipe import GaussianAugmentation
from certd.training.settings import TrainingSettings

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class TrainingPreset:
    """What a paper trained with.

    Attributes:
        recipe: What is served, and what a step makes of it.
        settings: The rest.
    """

    recipe: GaussianAugmentation | EasyImages
    settings: TrainingSettings


RECIPES: Mapping[str, type[GaussianAugmentation | EasyImages]] = MappingProxyType(
    {"gaussian": GaussianAugmentation, "easy-images": EasyImages}
)
_SETTINGS = TrainingSettings(
    epochs=150, batch_size=256, learning_rate=0.1, momentum=0.9, nesterov=False, weight_decay=1e-4,
    schedule="step", augment="crop-flip",
)  # fmt: skip
_IMAGENET = _SETTINGS.model_copy(update={"epochs": 90})

TRAINING_PRESETS: Mapping[str, TrainingPreset] = MappingProxyType(
    {
        "easy-cifar10-0.25": TrainingPreset(EasyImages(0.25, 4, 60, 0.5, 10, 3, 0.25), _SETTINGS),
        "easy-cifar10-0.5": TrainingPreset(EasyImages(0.5, 4, 70, 0.4, 10, 6, 0.25), _SETTINGS),
        "easy-cifar10-1.0": TrainingPreset(EasyImages(1.0, 4, 60, 0.4, 10, 4, 0.5), _SETTINGS),
        "easy-imagenet-0.25": TrainingPreset(EasyImages(0.25, 1, 0, 0.2, 0, 2, 0.5), _IMAGENET),
        "easy-imagenet-0.5": TrainingPreset(EasyImages(0.5, 1, 0, 0.2, 0, 2, 1.0), _IMAGENET),
        "easy-imagenet-1.0": TrainingPreset(EasyImages(1.0, 2, 0, 0.1, 0, 1, 2.0), _IMAGENET),
    }
)
"""By data set and sigma (arXiv:2410.06895 and its code); on ImageNet a judge discards beforehand."""


def choose_recipe(name: str, sigma: float | None, **given: Any) -> TrainingPreset:
    """Return a recipe, with the settings it was published with where it was.

    Args:
        name: ``gaussian``, ``easy-images``, or one of :data:`TRAINING_PRESETS`.
        sigma: Noise level, input units; None for that of a preset.
        **given: Members of the recipe that replace its defaults; those that are None do not.

    Raises:
        NotFound: If there is no such recipe; the message lists those that exist.
        InvalidParameter: If sigma is missing or contradicts the preset, or the recipe lacks such a member.
    """
    members = {key: value for key, value in given.items() if value is not None}
    if name in TRAINING_PRESETS:
        preset = TRAINING_PRESETS[name]
        if sigma is not None and sigma != preset.recipe.sigma:
            raise InvalidParameter(
                f"{name} is for sigma {preset.recipe.sigma:g}; leave --sigma out, or take easy-images."
            )
        return replace(preset, recipe=replace(preset.recipe, **members))
    if name not in RECIPES:
        raise NotFound(f"No recipe is called {name!r}; there are {', '.join((*RECIPES, *TRAINING_PRESETS))}.")
    if sigma is None:
        raise InvalidParameter(f"{name} needs a noise level: --sigma.")
    kind = RECIPES[name]
    unknown = sorted(members.keys() - kind.__dataclass_fields__.keys())
    if unknown:
        raise InvalidParameter(f"{name} has no {' and no '.join(unknown)}; easy-images has.")
    return TrainingPreset(kind(sigma, **members), TrainingSettings())
