"""Base classifiers: what is registered, and how it is loaded.

Finding and registering a model needs no torch; loading one does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from certd.models.declaration import Declaration
from certd.models.presets import PRESETS, Preset
from certd.models.registration import list_models, register_model, unregister_model
from certd.models.registry import find_model, model_names
from certd.models.specification import ModelSpecification

if TYPE_CHECKING:
    from certd.models.base_classifier import BaseClassifier
    from certd.models.draft import Draft, draft_model
    from certd.models.inspection import Inspection, inspect_model
    from certd.models.loading import load_model
    from certd.models.opening import open_model

__all__ = [
    "PRESETS",
    "BaseClassifier",
    "Declaration",
    "Draft",
    "Inspection",
    "ModelSpecification",
    "Preset",
    "draft_model",
    "find_model",
    "inspect_model",
    "list_models",
    "load_model",
    "model_names",
    "open_model",
    "register_model",
    "unregister_model",
]

_MODULE_OF = {
    "BaseClassifier": "base_classifier",
    "Draft": "draft",
    "Inspection": "inspection",
    "draft_model": "draft",
    "inspect_model": "inspection",
    "load_model": "loading",
    "open_model": "opening",
}
"""What needs torch, imported only when it is asked for, so that the API and the client run without it."""


def __getattr__(name: str) -> Any:
    """Import the module that holds ``name``."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
