"""A figure in each of its forms: SVG, PNG, PDF, and JSON with all that is drawn."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

from certd.reports.figures.raster import render_raster
from certd.reports.figures.svg import render_svg

if TYPE_CHECKING:
    from certd.reports.figures.figure import Figure

FigureForm = Literal["svg", "png", "pdf", "json"]
FIGURE_TYPES: dict[FigureForm, str] = {
    "svg": "image/svg+xml",
    "png": "image/png",
    "pdf": "application/pdf",
    "json": "application/json",
}


def render_figure(figure: Figure, form: FigureForm) -> bytes:
    """Return a figure as a file.

    Raises:
        Unavailable: If PNG or PDF is asked for and matplotlib is not installed.
    """
    match form:
        case "svg":
            return render_svg(figure).encode()
        case "json":
            return json.dumps(asdict(figure)).encode()
        case _:
            return render_raster(figure, form)
