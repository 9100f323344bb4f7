"""Pages: rendered on the server, under a policy that lets nothing of another origin in."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from api.dashboard.words import FILTERS
from certd._version import __version__
from certd.reports.figures import render_svg
from certd.reports.figures.svg_style import STYLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from certd.reports.figures import Figure

STATIC_FOLDER = Path(__file__).with_name("static")
_STYLE_DIGEST = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
# Figures bring their own style, known to the letter; no other inline style and no inline script runs.
POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    f"style-src 'self' 'sha256-{_STYLE_DIGEST}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-cache",
}
LOCAL = "local"


def respond(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """Return a page of ``templates``; 304 where the reader has it already.

    Args:
        request: What is answered.
        template: Name of the template, without its ending.
        status: Of the answer.
        **values: What the template prints; all text is escaped.
    """
    page = _environment().get_template(f"{template}.html.j2").render(
        **{
            "path": request.url.path,
            "here": str(request.url.path) + (f"?{request.url.query}" if request.url.query else ""),
            "key_id": getattr(request.state, "caller", None) and request.state.caller.key_id,
            "form_token": _form_token(request),
            "json_twin": None,
            "refreshing": False,
            **values,
        }
    )  # fmt: skip
    headers = {**HEADERS, "ETag": f'W/"{hashlib.sha256(page.encode()).hexdigest()[:32]}"'}
    if status == 200 and request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return HTMLResponse(page, status, headers)


def fresh_key() -> str:
    """Return the key of one form: sent twice by an impatient hand, it makes one job."""
    return f"form-{uuid4()}"


def _form_token(request: Request) -> Callable[[], str]:
    """Return what makes the token of a form; a page without forms needs no queue."""

    def make() -> str:
        session = getattr(request.state, "session", None)
        token: str = request.app.state.services.sessions.form_token(session.cookie if session else LOCAL)
        return token

    return make


@cache
def _environment() -> Environment:
    environment = Environment(
        # The report's own macros draw its figures and tables here too.
        loader=ChoiceLoader([PackageLoader("api.dashboard"), PackageLoader("certd.reports")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    environment.globals.update(
        version=__version__, asset=_asset, svg=_inline, now=lambda: datetime.now(UTC), fresh_key=fresh_key
    )
    return environment


def _inline(figure: Figure) -> Markup:
    return Markup(render_svg(figure))  # noqa: S704 - the renderer escapes every text it is given


@cache
def _asset(name: str) -> str:
    """Return the URL of a static file, which changes when the file does."""
    digest = hashlib.sha256((STATIC_FOLDER / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"
