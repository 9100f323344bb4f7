"""No number that means a radius is printed above what was proved, in any form, whatever was counted."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certd.cli import display
from certd.reports import average_certified_radius
from certd.reports.exporters import export_model_card, rows_of
from certd.reports.figures.forms import render_figure
from certd.reports.figures.radius import accuracy_curve
from certd.reports.importers import Conditions, import_counts
from certd.reports.methods import methods_sentence
from certd.reports.page import page_of_log
from certd.reports.paper import tables_of, write_table
from certd.reports.summary import numbers_of, summarize_log

pytestmark = pytest.mark.slow

COUNTS = st.lists(st.integers(501, 1000), min_size=2, max_size=6)
SIGMAS = st.sampled_from([0.1, 0.25, 1 / 3, 0.77, 1.0])


def _numbers(text: str) -> list[float]:
    return [float(found) for found in re.findall(r"\d+\.\d+", text)]


@given(counts=COUNTS, sigma=SIGMAS)
@settings(max_examples=25)
def test_no_form_prints_a_radius_above_the_proved_one(counts: list[int], sigma: float) -> None:
    """ACR and the cap: in JSON, Markdown, LaTeX, CSV, HTML, SVG, the methods sentence and the terminal."""
    lines = "".join(f"0,{count},{1000 - count}\n" for count in counts)
    results = import_counts("label,a,b\n" + lines, Conditions(sigma))
    average = average_certified_radius(results.radii, results.correct)
    most = results.max_radius
    table = tables_of(results)["results"]
    for form in ("md", "tex", "csv"):
        text = write_table(table, form, (results,))
        row = next(line for line in text.splitlines() if line.lstrip("| ").startswith("imported"))
        shown = float(re.split(r"[|&,]", row.strip("| "))[2])
        assert shown <= average < shown + 1.0001e-4
    assert numbers_of(results)["average_certified_radius"]["value"] == average
    for text in (methods_sentence(results), render_figure(accuracy_curve(results), "svg").decode()):
        for said in re.findall(r"(?:cap|could certify is) (\d+\.\d+)", text):
            assert float(said) <= most
    page = page_of_log(results)
    (shown,) = re.findall(r"average certified radius \(ACR\)</th><td>([\d.]+)", page)
    assert float(shown) <= average
    (shown,) = re.findall(r"largest radius that the plan can certify</th><td>([\d.]+)", page)
    assert float(shown) <= most
    (shown,) = re.findall(r"average certified radius \(ACR\) \| ([\d.]+)", export_model_card(results))
    assert float(shown) <= average


@given(counts=COUNTS, sigma=SIGMAS)
@settings(max_examples=25)
def test_the_terminal_prints_no_radius_above_the_proved_one(counts: list[int], sigma: float) -> None:
    """Neither in a row, nor in the line of the average."""
    lines = "".join(f"0,{count},{1000 - count}\n" for count in counts)
    results = import_counts("label,a,b\n" + lines, Conditions(sigma))
    stream = io.StringIO()
    with redirect_stdout(stream):
        display.show_certificates([{**row, "p_a_lower": 0.5} for row in rows_of(results)])
        display.show_report(summarize_log(results))
    printed = stream.getvalue().splitlines()
    for line, radius in zip(printed[1:], results.radii.tolist(), strict=False):
        assert radius == 0 or _numbers(line)[-1] <= radius
    (average,) = re.findall(r"\(ACR\) ([\d.]+)", stream.getvalue())
    assert float(average) <= average_certified_radius(results.radii, results.correct)
    (largest,) = re.findall(r"largest radius ([\d.]+)", stream.getvalue())
    assert float(largest) <= results.max_radius
