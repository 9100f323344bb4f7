"""Pages from templates: self-contained, escaped, the same text for the same values."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from certd.reports.figures import render_svg

if TYPE_CHECKING:
    from certd.reports.figures import Figure


def render_page(template: str, **values: Any) -> str:
    """Return a page of ``certd/reports/templates``; ``svg(figure)`` draws a figure in it."""
    return _environment().get_template(template).render(svg=_inline, **values)


def _inline(figure: Figure) -> Markup:
    return Markup(render_svg(figure))  # noqa: S704 - the renderer escapes every text it is given


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("certd.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
