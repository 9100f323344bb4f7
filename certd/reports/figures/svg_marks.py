"""The marks of a figure in SVG: curves, areas, bars and markers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.reports.figures.figure import Band, Bars, Line
from certd.reports.figures.svg_style import DASHES, SERIES, YARDSTICK_DASH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certd.reports.figures.figure import Points, Shape
    from certd.reports.figures.scale import Scale

GAP = 1.0
SIZE = 4.0
CATEGORY_GAP = 0.2


def curve(line: Line, number: int, x: Scale, y: Scale) -> Iterator[str]:
    """Draw a curve and its markers; the number chooses colour, dash and marker together."""
    if line.shape != "unconnected":
        extra = " yardstick" if line.yardstick else ""
        yield (
            f'<path class="curve s{_series(number)}{extra}"{_dash(line, number)} '
            f'd="{path(line.points, line.shape, x, y)}"/>'
        )
    if line.marked or line.shape == "unconnected":
        for at, value in line.points:
            yield marker(number, x.place(at), y.place(value))


def area(band: Band, x: Scale, y: Scale) -> str:
    """Draw the area between two curves."""
    there = _corners(band.lower, band.shape, x, y)
    back = reversed(_corners(band.upper, band.shape, x, y))
    return f'<path class="area" d="{_join([*there, *back])}Z"/>'


def bars(group: Bars, x: Scale, y: Scale) -> Iterator[str]:
    """Draw bars with a gap between; bars of categories stand further apart."""
    for low, high, height in zip(group.edges, group.edges[1:], group.heights, strict=False):
        left, right, top = x.place(low), x.place(high), y.place(height)
        gap = CATEGORY_GAP * (right - left) / 2 if group.labels else GAP
        if height > 0:
            yield (
                f'<rect class="bar" x="{left + gap:.1f}" y="{top:.1f}" '
                f'width="{right - left - 2 * gap:.1f}" height="{y.start - top:.1f}"/>'
            )


def marker(number: int, x: float, y: float) -> str:
    """Draw a circle, a square, a triangle or a diamond."""
    kind, name = number % SERIES, f'class="m{_series(number)}"'
    if kind == 0:
        return f'<circle {name} cx="{x:.1f}" cy="{y:.1f}" r="{SIZE}"/>'
    corners = {
        1: ((-1, -1), (1, -1), (1, 1), (-1, 1)),
        2: ((0, -1.2), (1.2, 1), (-1.2, 1)),
        3: ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
    }[kind]
    return f'<path {name} d="{_join([(x + SIZE * dx, y + SIZE * dy) for dx, dy in corners])}Z"/>'


def legend_key(mark: Line | Band | Bars, number: int, x: float, y: float) -> str:
    """Draw the sample of a mark that stands before its name."""
    if isinstance(mark, Line):
        stroke = f'<path class="curve s{_series(number)}"{_dash(mark, number)} d="M{x:.1f} {y}h24"/>'
        dot = marker(number, x + 12, y) if mark.marked or mark.shape == "unconnected" else ""
        return dot if mark.shape == "unconnected" else stroke + dot
    kind = "area" if isinstance(mark, Band) else "bar"
    return f'<rect class="{kind}" x="{x:.1f}" y="{y - 6}" width="24" height="12"/>'


def path(points: Points, shape: Shape, x: Scale, y: Scale) -> str:
    """Return the path of a curve, without what a screen cannot show."""
    return _join(_corners(points, shape, x, y))


def _corners(points: Points, shape: Shape, x: Scale, y: Scale) -> list[tuple[float, float]]:
    """Return the corners on the page, to a tenth of a pixel, each place once in a row."""
    corners: list[tuple[float, float]] = []
    for value in points:
        here = (round(x.place(value[0]), 1), round(y.place(value[1]), 1))
        if corners and shape == "step-before":
            corners.append((corners[-1][0], here[1]))
        elif corners and shape == "step-after":
            corners.append((here[0], corners[-1][1]))
        corners.append(here)
    return [here for i, here in enumerate(corners) if i == 0 or here != corners[i - 1]]


def _join(corners: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in corners)


def _series(number: int) -> int:
    return number % SERIES + 1


def _dash(line: Line, number: int) -> str:
    dash = YARDSTICK_DASH if line.yardstick else DASHES[number % SERIES]
    return f' stroke-dasharray="{dash}"' if dash else ""
