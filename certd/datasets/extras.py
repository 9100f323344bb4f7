"""Packages that only some formats need."""

from __future__ import annotations

import importlib
from typing import Any

from certd.errors import Unavailable


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
