"""Base classifiers: what is registered, and how it is loaded.

Finding and registering a model needs no torch; loading one does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from certd.datasets.extras import needed_to_run
from certd.models.declaration import Declaration
from certd.models.ensemble_specification import EnsembleSpecification
from certd.models.mixing import Mixing, Transform
from certd.models.mixture_specification import MixtureSpecification
from certd.models.presets import PRESETS, Preset
from certd.models.registration import list_models, register_model, unregister_model
from certd.models.registry import Specification, find_model, mixing_of, model_names, parts_of, soup_of
from certd.models.soup_specification import Calibration, Soup, SoupSpecification
from certd.models.specification import ModelSpecification

if TYPE_CHECKING:
    from certd.models.base_classifier import BaseClassifier
    from certd.models.draft import Draft, draft_model
    from certd.models.ensemble_loading import draft_ensemble
    from certd.models.inspection import Inspection, inspect_model
    from certd.models.loading import load_model
    from certd.models.mixture import mix
    from certd.models.mixture_loading import draft_mixture
    from certd.models.opening import open_model
    from certd.models.soup_loading import draft_soup

__all__ = [
    "PRESETS",
    "BaseClassifier",
    "Calibration",
    "Declaration",
    "Draft",
    "EnsembleSpecification",
    "Inspection",
    "Mixing",
    "MixtureSpecification",
    "ModelSpecification",
    "Preset",
    "Soup",
    "SoupSpecification",
    "Specification",
    "Transform",
    "draft_ensemble",
    "draft_mixture",
    "draft_model",
    "draft_soup",
    "find_model",
    "inspect_model",
    "list_models",
    "load_model",
    "mix",
    "mixing_of",
    "model_names",
    "open_model",
    "parts_of",
    "register_model",
    "soup_of",
    "unregister_model",
]

_MODULE_OF = {
    "BaseClassifier": "base_classifier",
    "Draft": "draft",
    "Inspection": "inspection",
    "draft_ensemble": "ensemble_loading",
    "draft_mixture": "mixture_loading",
    "draft_model": "draft",
    "draft_soup": "soup_loading",
    "inspect_model": "inspection",
    "load_model": "loading",
    "mix": "mixture",
    "open_model": "opening",
}
"""What needs torch, imported only when it is asked for, so that the API and the client run without it."""


def __getattr__(name: str) -> Any:
    """Import the module that holds ``name``.

    Raises:
        Unavailable: If torch is not installed; only reading results does without it.
    """
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    except ModuleNotFoundError as error:
        if (missing := needed_to_run(error)) is None:
            raise
        raise missing from error
