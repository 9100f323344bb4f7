"""Base classifiers: what is registered, and how it is loaded.

Finding a model needs no torch; loading one does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from certd.models.registry import find_model, model_names
from certd.models.specification import ModelSpecification

if TYPE_CHECKING:
    from certd.models.base_classifier import BaseClassifier
    from certd.models.loading import load_model

__all__ = ["BaseClassifier", "ModelSpecification", "find_model", "load_model", "model_names"]


def __getattr__(name: str) -> Any:
    """Import what needs torch only when it is asked for, so that the API and the client run without it."""
    match name:
        case "BaseClassifier":
            from certd.models.base_classifier import BaseClassifier  # noqa: PLC0415

            return BaseClassifier
        case "load_model":
            from certd.models.loading import load_model  # noqa: PLC0415

            return load_model
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
