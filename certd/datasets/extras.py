"""Packages that only some formats need."""

from __future__ import annotations

import importlib
from typing import Any

from certd.errors import Unavailable

RUNNING = frozenset({"torch", "numba", "safetensors"})


def needed_to_run(error: ModuleNotFoundError) -> Unavailable | None:
    """Return what to tell who has no torch; None where ``error`` is about another module."""
    if error.name not in RUNNING:
        return None
    return Unavailable(f"Running a network here needs {error.name}: pip install 'certd[torch,datasets]'.")


def import_extra(module: str, extra: str) -> Any:
    """Import ``module``, or say which extra of certd brings it.

    Raises:
        Unavailable: If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Unavailable(
            f"This needs {module}: pip install 'certd[{extra}]', here and on every worker."
        ) from error
