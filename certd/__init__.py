"""Randomized-smoothing certification: certified radii with honest statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from certd._version import __version__

if TYPE_CHECKING:
    from certd.async_client import AsyncClient
    from certd.client import Client
    from certd.local import certify
    from certd.result import Result

__all__ = ["AsyncClient", "Client", "Result", "__version__", "certify"]


def __getattr__(name: str) -> Any:
    """Import what is asked for only then, so that ``import certd`` costs nothing."""
    match name:
        case "certify":
            from certd.local import certify  # noqa: PLC0415

            return certify
        case "AsyncClient":
            from certd.async_client import AsyncClient  # noqa: PLC0415

            return AsyncClient
        case "Client":
            from certd.client import Client  # noqa: PLC0415

            return Client
        case "Result":
            from certd.result import Result  # noqa: PLC0415

            return Result
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
