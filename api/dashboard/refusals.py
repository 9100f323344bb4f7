"""A refusal as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.dashboard.rendering import respond

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


def refusal_page(request: Request, status: int, title: str, detail: str) -> Response:
    """Return what went wrong and what to do about it, as a page."""
    return respond(request, "refusal", status, title=title, detail=detail)
