"""A figure as a value: what is drawn, what it says in words, and the same numbers as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Points = tuple[tuple[float, float], ...]
Shape = Literal["straight", "step-before", "step-after", "unconnected"]


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its label, its ends, and whether it is logarithmic."""

    label: str
    low: float
    high: float
    log: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A named curve.

    Attributes:
        name: For the legend.
        points: In rising order of x.
        shape: ``step-before`` holds the value of the right point between two, ``step-after`` of the left;
            ``unconnected`` draws the markers alone.
        marked: Whether each point carries a marker.
        yardstick: Whether it is a reference beside the data, drawn thin and dashed.
    """

    name: str
    points: Points
    shape: Shape = "straight"
    marked: bool = False
    yardstick: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """The area between two curves over the same x, named for the legend."""

    name: str
    lower: Points
    upper: Points
    shape: Shape = "straight"


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars between edges, one height each, named for the legend."""

    name: str
    edges: tuple[float, ...]
    heights: tuple[float, ...]
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A vertical line with a label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Table:
    """The numbers of a figure, printed: radii and bounds rounded down."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure.

    Attributes:
        name: Stable slug, unique on a page.
        title: What is shown.
        conditions: Under which conditions; ``137 of 500 images`` in a partial run.
        summary: What the picture shows, in words; the alternative text.
        caption: How to read it, and what it does not say.
        x: Horizontal axis.
        y: Vertical axis.
        table: The same numbers.
        lines: Curves.
        bands: Areas, behind the curves.
        bars: Bars, behind the curves.
        rules: Vertical lines.
        marks: Conditions in which the runs shown differ; they stand in place of ``conditions``, in red.
    """

    name: str
    title: str
    conditions: str
    summary: str
    caption: str
    x: Axis
    y: Axis
    table: Table
    lines: tuple[Line, ...] = ()
    bands: tuple[Band, ...] = ()
    bars: tuple[Bars, ...] = ()
    rules: tuple[Rule, ...] = ()
    marks: tuple[str, ...] = ()


def points(xs: ArrayLike, ys: ArrayLike) -> Points:
    """Return two sequences of one length as pairs of plain floats."""
    pairs = np.column_stack([np.asarray(xs, np.float64), np.asarray(ys, np.float64)])
    return tuple((x, y) for x, y in pairs.tolist())
