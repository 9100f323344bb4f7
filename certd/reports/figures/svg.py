"""A figure as SVG: text and shapes, light and dark, the same bytes for the same figure."""

from __future__ import annotations

from html import escape
from itertools import count
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
KEY = 30


def render_svg(figure: Figure) -> str:
    """Draw a figure.

    Colour never carries a meaning alone: curves differ in dash and marker too. Screen readers get the title
    and the summary; the table of the figure holds the numbers.

    Returns:
        One ``<svg>`` element, standing alone or inside a page; it loads nothing. Equal figures give equal
        text.
    """
    x, y = Scale(figure.x, LEFT, WIDTH - RIGHT), Scale(figure.y, HEIGHT - BOTTOM, TOP)
    parts = [*_head(figure), *_axes(figure, x, y), *_marks(figure, x, y), *_legend(figure), "</svg>"]
    return "\n".join(parts) + "\n"


def _head(figure: Figure) -> Iterator[str]:
    name = escape(figure.name)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="certd-figure" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'role="img" aria-labelledby="{name}-title {name}-desc">'
    )
    yield f'<title id="{name}-title">{escape(figure.title)}</title>'
    yield f'<desc id="{name}-desc">{escape(figure.summary)}</desc>'
    yield f"<style>{STYLE}</style>"
    yield f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>'
    yield f'<text class="heading" x="{LEFT}" y="24">{escape(figure.title)}</text>'
    kind, words = ("mark", _marked(figure)) if figure.marks else ("quiet", figure.conditions)
    yield f'<text class="{kind}" x="{LEFT}" y="44">{escape(words)}</text>'


def _marked(figure: Figure) -> str:
    return f"NOT COMPARABLE: {'; '.join(figure.marks)}"


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


def _legend(figure: Figure) -> Iterator[str]:
    """Name what is drawn, in one row; a single group of bars needs no name."""
    if len(figure.lines) + len(figure.bands) + len(figure.bars) < 2:
        return
    place = float(LEFT)
    numbers = count()
    marks: tuple[Line | Band | Bars, ...] = (*figure.bars, *figure.lines, *figure.bands)
    for mark in marks:
        yield legend_key(mark, next(numbers), place, 64)
        yield f'<text class="tick" x="{place + KEY:.1f}" y="68">{escape(mark.name)}</text>'
        place += KEY + LETTER * len(mark.name) + 22
