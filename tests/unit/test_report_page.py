"""The page and the tables: self-contained, escaped, rounded down, and honest about what they show."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from certd.models.runtime.arithmetic import Execution
from certd.reports.figures import Table
from certd.reports.headline import accuracies, average_with_defects, runs_table
from certd.reports.importers import import_cohen
from certd.reports.methods import bibliography, methods_sentence
from certd.reports.page import page_of_log, page_of_run
from certd.reports.printed import ceiled, floored, percent
from certd.reports.results import results_of
from certd.reports.tables import to_csv, to_latex, to_markdown
from certd.smoothing import Certificate, Draws, Manifest, Phase, Record, Run, parse_request

pytestmark = pytest.mark.slow

EXECUTION = Execution(
    device="cpu",
    processor="any",
    dtype="float32",
    normalisation_folded=False,
    batch_norms_folded=0,
    batch_norms_left=0,
    channels_last=False,
    compiled=False,
    tf32=False,
    deterministic=True,
    batch_size=1,
    threads=1,
    torch="any",
)
HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
LOG = HEADER + "0\t1\t1\t0.4\t1\t1\n1\t0\t0\t0.7\t1\t1\n2\t0\t-1\t0.0\t0\t1\n"
VOID = {"meta", "br"}


def _run(dataset: str = "made", *, labelled: bool = True, requested: int = 20, **options: Any) -> Run:
    """Return a run of 20 images with 520 to 995 of 1000 draws for class 0, every fourth of class 1."""
    asked = {"model": "m", "sigma": 0.5, "plan": "fixed", "n": 1000, "seed": 1, **options}
    certification = parse_request(asked).resolve("m@sha256:" + "0" * 64, labelled=labelled)
    manifest = Manifest(
        certification=certification,
        dataset=dataset,
        num_images=requested,
        input_shape=(1, 2, 2),
        num_classes=2,
        norm=certification.norm,
        max_radius=1.2316,
        execution=EXECUTION,
        versions={},
    )
    certificates = []
    for i in range(20):
        record = Record(i, "0" * 64, int(i % 4 == 3) if labelled else None)
        record = record.observe(Draws(Phase.SELECTION, 0, 100), np.array([100, 0]))
        record = record.observe(Draws(Phase.ESTIMATION, 0, 1000), np.array([520 + 25 * i, 480 - 25 * i]))
        certificates.append(Certificate(record, certification.plan.conclude(record, manifest.guarantee)))
    return Run(manifest, tuple(certificates))


class _Balance(HTMLParser):
    """Check that every element that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_loads_nothing() -> None:
    """One file: no script, no link, no image, no font from elsewhere."""
    page = page_of_run(_run())
    assert not re.search(r"<script|<link|<img|src=|href=|@import|url\(", page)
    parser = _Balance()
    parser.feed(page)
    assert parser.open == []


def test_the_page_is_the_same_for_the_same_run() -> None:
    """Two readers of one run read the same bytes."""
    assert page_of_run(_run()) == page_of_run(_run())


def test_the_page_opens_with_the_promise_and_the_distribution() -> None:
    """What was certified, what is guaranteed, then pA, and the average radius last."""
    page = page_of_run(_run())
    order = [
        "What was certified",
        "What is guaranteed",
        'id="pa-histogram"',
        'id="acr-by-budget"',
        "Manifest",
    ]
    places = [page.index(words) for words in order]
    assert places == sorted(places)


def test_a_partial_run_says_so_at_the_top() -> None:
    """The reader meets it before any number."""
    page = page_of_run(_run(requested=500))
    assert page.index("Partial: 20 of 500 images") < page.index("<figure")


def test_names_are_escaped() -> None:
    """A hostile name of a data set is text, not markup."""
    page = page_of_run(_run("<img src=x>"))
    assert "<img" not in page
    assert "&lt;img src=x&gt;" in page


def test_a_run_without_labels_claims_no_accuracy() -> None:
    """The page of an unlabelled run has no accuracy and no average."""
    page = page_of_run(_run(labelled=False))
    assert 'id="certified-accuracy"' not in page
    assert 'id="lorenz"' not in page


def test_a_published_log_is_not_vouched_for() -> None:
    """Its page says that nothing is guaranteed, and that counts were recovered."""
    page = page_of_log(import_cohen(LOG, 0.5, budget=(100_000, 0.001)))
    assert "Nothing by this software" in page
    assert "recovered from printed radii" in page
    assert "We certified" not in page


@pytest.mark.parametrize("value", [0.29, 0.12341, 0.123456789, 1 - 1e-12, 3.8114565])
def test_lower_bounds_are_printed_down_and_upper_ones_up(value: float) -> None:
    """A printed bound is never on the wrong side of the number."""
    assert float(floored(value)) <= value <= float(ceiled(value))
    assert float(percent(value / 4).removesuffix(" %")) <= 25 * value


def test_the_four_accuracies_stand_side_by_side() -> None:
    """Clean, under noise, predicted, certified: each named, and what a run does not hold is not made up."""
    rows = {row[0]: row[1] for row in accuracies(results_of(_run())).rows}
    assert rows["base classifier, clean images"] == "not recorded in a run"
    noisy = float(rows["base classifier under the noise"].removesuffix(" %"))
    assert noisy == pytest.approx(
        100 * np.mean([0.52 + 0.025 * i if i % 4 < 3 else 0.48 - 0.025 * i for i in range(20)]), abs=0.1
    )
    assert "certified at radius 1" in rows


def test_acr_stands_beside_its_cap_and_the_constant_classifier() -> None:
    """Never ACR alone."""
    names = [row[0] for row in average_with_defects(results_of(_run())).rows]
    assert names[0].startswith("average certified radius")
    assert any("largest radius" in name for name in names)
    assert any("most frequent class (75.0 %)" in name for name in names)


def test_tables_read_back() -> None:
    """CSV gives back every cell; Markdown has one bar more than cells; LaTeX escapes what is special."""
    table = Table(("model_a|b", "50 %"), (("x & y", "0.5"), ("z", "0.75")))
    assert list(csv.reader(io.StringIO(to_csv(table)))) == [list(table.header), *map(list, table.rows)]
    assert to_markdown(table).splitlines()[1] == "| ---: | ---: |"
    latex = to_latex(table, "100 % of it", "tab:x", best=(1,))
    assert r"model\_a|b & 50 \% \\" in latex
    assert r"z & \textbf{0.75} \\" in latex
    assert r"\caption{100 \% of it}" in latex
    assert latex.count(r"\toprule") == latex.count(r"\bottomrule") == 1


def test_runs_stand_below_one_another() -> None:
    """One row a run, with sigma, ACR and the accuracies of one grid."""
    log = import_cohen(LOG, 0.5, budget=(100_000, 0.001), model="cohen")
    table = runs_table([log, replace(log, model="other")])
    assert table.header[:5] == ("model", "sigma", "ACR", "r = 0", "r = 0.25")
    assert [row[0] for row in table.rows] == ["cohen", "other"]
    assert table.rows[0][2:5] == ("0.3666", "0.666", "0.666")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "100 draws chose the class and 1,000 fresh draws"),
        ({"split": False}, "at half of the failure probability"),
        ({"bound": "two-sided"}, "rival was bounded from above"),
        ({"arithmetic": "float"}, "added in floating point"),
        ({"plan": "open"}, "a bound that holds at any time"),
        ({"plan": "predict"}, "the two largest counts"),
    ],
)
def test_the_methods_sentence_says_what_was_done(options: dict[str, Any], words: str) -> None:
    """Plan, options and arithmetic are in it, with sigma and its units."""
    sentence = methods_sentence(results_of(_run(**options)))
    assert words in sentence
    assert "level 0.5 in units of pixels in [0, 1]" in sentence


def test_only_works_that_were_used_are_cited() -> None:
    """A float run does not cite sound noise, a fixed plan no sequential test."""
    fixed, floating = (bibliography(results_of(_run(arithmetic=a))) for a in ("quantized", "float"))
    assert "@inproceedings{voracek2023" in fixed
    assert "voracek2023" not in floating
    assert "lan1983" not in fixed
    assert fixed.count("{") == fixed.count("}")
