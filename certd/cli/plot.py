"""``certd plot``: figures of one run or several as files."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from certd.cli import options
from certd.cli.runs import open_results
from certd.errors import NotFound

if TYPE_CHECKING:
    from certd.reports import Results
    from certd.reports.figures import Figure

ALL = "all"


class FigureFormat(StrEnum):
    """Files that a figure can be."""

    SVG = "svg"
    PNG = "png"
    PDF = "pdf"
    JSON = "json"


def plot(
    files: options.RunFiles,
    figure: Annotated[str, typer.Option(help="Name of the figure, or all.")] = ALL,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write into.")] = Path(),
    form: Annotated[FigureFormat, typer.Option("--format", help="svg, png, pdf or json.")] = FigureFormat.SVG,
    force: options.Force = False,
) -> None:
    """Draw the figures of one run, or those that lay several over one another; print the files' names."""
    from certd.reports.figures.forms import render_figure

    drawn = _figures([open_results(file) for file in files], force=force)
    chosen = [one for one in drawn if figure in {ALL, one.name}]
    if not chosen:
        raise NotFound(f"There is no figure {figure!r}; there are {', '.join(one.name for one in drawn)}.")
    out.mkdir(parents=True, exist_ok=True)
    for one in chosen:
        path = out / f"{one.name}.{form.value}"
        path.write_bytes(render_figure(one, form.value))
        print(path)


def _figures(runs: list[Results], *, force: bool) -> tuple[Figure, ...]:
    from certd.reports.figures import gallery
    from certd.reports.figures.overlay import overlay

    return gallery(runs[0]) if len(runs) == 1 else overlay(*runs, force=force)
