"""A figure as SVG: text and shapes, light and dark, the same bytes for the same figure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from certd.reports.figures.scale import Scale
from certd.reports.figures.svg_marks import area, bars, curve, legend_key
from certd.reports.figures.svg_style import STYLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certd.reports.figures.figure import Band, Bars, Figure, Line

WIDTH, HEIGHT = 680, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 84, 52
LETTER = 6.6
NARROW_LETTER = 6.1
BETWEEN = " · "
KEY = 30
LINE = 18
"""Height of a further line of conditions or of the legend."""


def render_svg(figure: Figure) -> str:
    """Draw a figure.

    Colour never carries a meaning alone: curves differ in dash and marker too. Screen readers get the title
    and the summary; the table of the figure holds the numbers.

    Returns:
        One ``<svg>`` element, standing alone or inside a page; it loads nothing. Equal figures give equal
        text.
    """
    x, y = Scale(figure.x, LEFT, WIDTH - RIGHT), Scale(figure.y, HEIGHT - BOTTOM, TOP)
    lines, rows = _lines(_words(figure)), _legend_rows(figure)
    lower = LINE * (len(lines) - 1 + max(len(rows) - 1, 0))
    plot = [*_axes(figure, x, y), *_marks(figure, x, y)]
    if lower:
        plot = [f'<g transform="translate(0 {lower})">', *plot, "</g>"]
    legend = _legend(rows, LINE * (len(lines) - 1))
    parts = [*_head(figure, lines, HEIGHT + lower), *plot, *legend, "</svg>"]
    return "\n".join(parts) + "\n"


def _head(figure: Figure, lines: list[str], height: int) -> Iterator[str]:
    name = escape(figure.name)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="certd-figure" viewBox="0 0 {WIDTH} {height}" '
        f'role="img" aria-labelledby="{name}-title {name}-desc">'
    )
    yield f'<title id="{name}-title">{escape(figure.title)}</title>'
    yield f'<desc id="{name}-desc">{escape(figure.summary)}</desc>'
    yield f"<style>{STYLE}</style>"
    yield f'<rect class="paper" width="{WIDTH}" height="{height}"/>'
    yield f'<text class="heading" x="{LEFT}" y="24">{escape(figure.title)}</text>'
    kind = "mark" if figure.marks else "quiet"
    for number, words in enumerate(lines):
        yield f'<text class="{kind}" x="{LEFT}" y="{44 + LINE * number}">{escape(words)}</text>'


def _words(figure: Figure) -> str:
    return f"NOT COMPARABLE: {'; '.join(figure.marks)}" if figure.marks else figure.conditions


def _lines(words: str) -> list[str]:
    """Break conditions between their parts where they are wider than the figure."""
    lines = [""]
    for part in words.split(BETWEEN):
        joined = f"{lines[-1]}{BETWEEN}{part}" if lines[-1] else part
        if len(joined) * NARROW_LETTER <= WIDTH - LEFT or not lines[-1]:
            lines[-1] = joined
        else:
            lines.append(part)
    return lines


def _axes(figure: Figure, x: Scale, y: Scale) -> Iterator[str]:
    for value, label in y.ticks():
        at = y.place(value)
        yield f'<path class="grid" d="M{x.start:.1f} {at:.1f}H{x.stop:.1f}"/>'
        yield f'<text class="tick" text-anchor="end" x="{x.start - 8:.1f}" y="{at + 4:.1f}">{label}</text>'
    for value, label in _x_ticks(figure, x):
        at = x.place(value)
        yield f'<path class="axis" d="M{at:.1f} {y.start:.1f}v5"/>'
        yield (
            f'<text class="tick" text-anchor="middle" x="{at:.1f}" y="{y.start + 19:.1f}">'
            f"{escape(label)}</text>"
        )
    yield f'<path class="axis" d="M{x.start:.1f} {y.start:.1f}H{x.stop:.1f}"/>'
    middle, centre = (x.start + x.stop) / 2, (y.start + y.stop) / 2
    yield (
        f'<text class="label" text-anchor="middle" x="{middle:.1f}" y="{HEIGHT - 12}">'
        f"{escape(figure.x.label)}</text>"
    )
    yield (
        f'<text class="label" text-anchor="middle" transform="translate(18 {centre:.1f}) rotate(-90)">'
        f"{escape(figure.y.label)}</text>"
    )


def _x_ticks(figure: Figure, x: Scale) -> list[tuple[float, str]]:
    """Label bars that stand for categories by their names."""
    named = next((bar for bar in figure.bars if bar.labels), None)
    if named is None:
        return x.ticks()
    middles = [(low + high) / 2 for low, high in zip(named.edges, named.edges[1:], strict=False)]
    return list(zip(middles, named.labels, strict=True))


def _marks(figure: Figure, x: Scale, y: Scale) -> Iterator[str]:
    for band in figure.bands:
        yield area(band, x, y)
    for group in figure.bars:
        yield from bars(group, x, y)
    for rule in figure.rules:
        yield from _rule(rule.at, rule.label, x, y)
    for number, line in enumerate(figure.lines, start=len(figure.bars)):
        yield from curve(line, number, x, y)


def _rule(at: float, label: str, x: Scale, y: Scale) -> Iterator[str]:
    place = x.place(at)
    yield f'<path class="rule" d="M{place:.1f} {y.start:.1f}V{y.stop:.1f}"/>'
    left = place > x.stop - LETTER * len(label) - 8
    anchor, shift = ("end", -6) if left else ("start", 6)
    yield (
        f'<text class="quiet halo" text-anchor="{anchor}" x="{place + shift:.1f}" y="{y.stop + 12:.1f}">'
        f"{escape(label)}</text>"
    )


def _legend_rows(figure: Figure) -> list[list[tuple[int, float, Line | Band | Bars]]]:
    """Place the names of what is drawn, in as many rows as they take; one group of bars needs no name.

    Returns:
        Rows of the mark's number, the place of its key, and the mark.
    """
    marks: tuple[Line | Band | Bars, ...] = (*figure.bars, *figure.lines, *figure.bands)
    if len(marks) < 2:
        return []
    rows: list[list[tuple[int, float, Line | Band | Bars]]] = [[]]
    place = float(LEFT)
    for number, mark in enumerate(marks):
        width = KEY + LETTER * len(mark.name)
        if rows[-1] and place + width > WIDTH:
            rows.append([])
            place = float(LEFT)
        rows[-1].append((number, place, mark))
        place += width + 22
    return rows


def _legend(rows: list[list[tuple[int, float, Line | Band | Bars]]], lower: int) -> Iterator[str]:
    for row, marks in enumerate(rows):
        y = 64 + lower + LINE * row
        for number, place, mark in marks:
            yield legend_key(mark, number, place, y)
            yield f'<text class="tick" x="{place + KEY:.1f}" y="{y + 4}">{escape(mark.name)}</text>'
