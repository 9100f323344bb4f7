"""Figures: values with a table twin, drawn the same every time, readable without colour."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from certd.errors import InvalidParameter, Unavailable
from certd.reports.figures import Axis, gallery, render_svg
from certd.reports.figures.overlay import overlay
from certd.reports.figures.raster import render_raster
from certd.reports.figures.scale import Scale
from certd.reports.importers import import_cohen

if TYPE_CHECKING:
    from certd.reports.results import Results

pytestmark = pytest.mark.slow

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
RADII = np.linspace(0.01, 1.9, 60)
NAMES = [
    "pa-histogram",
    "pa-distribution",
    "correct-share",
    "correct-share-probit",
    "certified-accuracy",
    "radius-histogram",
    "acr-by-budget",
    "sensitivity",
    "lorenz",
    "by-class",
]


def _results(*, sigma: float = 0.5, requested: int | None = None) -> Results:
    rows = [f"{i}\t{i % 3}\t{i % 3}\t{r:.4f}\t1\t1" for i, r in enumerate(RADII)]
    rows += ["60\t1\t2\t0.3000\t0\t1", "61\t1\t-1\t0.0\t0\t1"]
    return import_cohen(HEADER + "\n".join(rows), sigma, budget=(100_000, 0.001), requested=requested)


GALLERY = {figure.name: figure for figure in gallery(_results(requested=500))}


def test_the_distribution_comes_first() -> None:
    """The order of the figures is the order of reading."""
    assert list(GALLERY) == NAMES


def test_without_labels_only_what_needs_none_is_drawn() -> None:
    """Nothing is said about accuracy where no label is known."""
    blind = replace(_results(), labels=None, label_counts=None)
    assert [figure.name for figure in gallery(blind)] == [
        "pa-histogram",
        "pa-distribution",
        "radius-histogram",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_says_that_the_run_is_partial(name: str) -> None:
    """No picture of a partial run can be cut out without saying so."""
    assert "62 of 500 images" in render_svg(GALLERY[name])


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_sound_and_described(name: str) -> None:
    """It parses as XML, is an image with a title and a description, and points to nothing outside."""
    text = render_svg(GALLERY[name])
    root = ET.fromstring(text)  # noqa: S314 - our own text
    assert root.attrib["role"] == "img"
    assert len(root.findtext("{http://www.w3.org/2000/svg}desc") or "") > 20
    assert not re.search(r"href|url\(|@import|<script", text)
    assert "nan" not in text
    assert render_svg(GALLERY[name]) == text


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_has_a_table_twin(name: str) -> None:
    """The numbers are there for who cannot see the picture; each row is as wide as the header."""
    table = GALLERY[name].table
    assert len(table.rows) >= 2
    assert {len(row) for row in table.rows} == {len(table.header)}


def test_marks_stay_on_the_page() -> None:
    """No curve leaves the frame, whatever its values."""
    for figure in GALLERY.values():
        for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", render_svg(figure)):
            assert 0 <= float(x) <= 680
            assert 0 <= float(y) <= 420


def test_curves_differ_in_more_than_colour() -> None:
    """Two runs in one figure have different dashes."""
    runs = [replace(_results(), model=name) for name in ("a", "b")]
    text = render_svg(overlay(*runs)[0])
    curves = re.findall(r'<path class="curve s\d"( stroke-dasharray="[^"]*")?', text)
    assert len(set(curves)) == 2


def test_runs_that_cannot_be_compared_are_refused_or_marked() -> None:
    """Unequal sigma is refused; forced, the figure says so in place of its conditions."""
    runs = _results(), _results(sigma=0.6)
    with pytest.raises(InvalidParameter, match="sigma"):
        overlay(*runs)
    for figure in overlay(*runs, force=True):
        text = render_svg(figure)
        assert "NOT COMPARABLE: sigma: 0.5 against 0.6" in text
        assert figure.conditions not in text


def test_text_is_escaped() -> None:
    """A hostile model name is text, not markup."""
    runs = [replace(_results(), model=name) for name in ("<script>x</script>", "b")]
    text = render_svg(overlay(*runs)[0])
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_printed_radii_are_rounded_down() -> None:
    """The cap of the curve is printed no larger than it is."""
    results = _results()
    (rule,) = GALLERY["certified-accuracy"].rules
    assert float(rule.label.removeprefix("cap ")) <= results.max_radius
    shares = [float(row[1]) for row in GALLERY["certified-accuracy"].table.rows]
    exact = [float((results.credited[results.correct] >= 0.25 * i).sum()) / 62 for i in range(len(shares))]
    assert all(printed <= share < printed + 1.001e-4 for printed, share in zip(shares, exact, strict=True))


@pytest.mark.parametrize(
    ("axis", "labels"),
    [
        (Axis("x", 0, 1), ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (Axis("x", 0.5, 1), ["0.5", "0.6", "0.7", "0.8", "0.9", "1"]),
        (Axis("x", 10, 1e7, log=True), ["10", "100", "1000", "10⁴", "10⁵", "10⁶", "10⁷"]),
        (Axis("x", 0, 2978), ["0", "500", "1000", "1500", "2000", "2500"]),
    ],
)
def test_ticks_are_round_numbers(axis: Axis, labels: list[str]) -> None:
    """Ticks are multiples of 1, 2, 2.5 or 5 times a power of ten, or decades."""
    scale = Scale(axis, 0, 100)
    assert [label for _, label in scale.ticks()] == labels
    assert all(0 <= scale.place(a) < scale.place(b) <= 100 for (a, _), (b, _) in pairwise(scale.ticks()))


def test_a_missing_plot_library_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """PNG and PDF need the extra; where it is missing, the error says how to get it."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(Unavailable, match=r"certd\[plot\]"):
        render_raster(GALLERY["lorenz"], "png")


@pytest.mark.parametrize("name", NAMES)
def test_figures_become_files_with_the_extra(name: str) -> None:
    """Each figure is a PNG and a PDF too, the same bytes every time."""
    pytest.importorskip("matplotlib", reason="the extra plot is not installed")
    assert render_raster(GALLERY[name], "png").startswith(b"\x89PNG")
    assert render_raster(GALLERY[name], "pdf") == render_raster(GALLERY[name], "pdf")
