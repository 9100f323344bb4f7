"""What is exported says what was proved, in every form, and not a digit more."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from certd.cli import app
from certd.errors import InvalidParameter, UnreadableInput
from certd.local import certify
from certd.models import BaseClassifier, load_model
from certd.reports import Results, results_of
from certd.reports.exporters import (
    export_arrow,
    export_cohen,
    export_csv,
    export_model_card,
    export_ndjson,
    export_robustbench,
    rows_of,
)
from certd.reports.figures.radius import accuracy_curve
from certd.reports.headline import accuracies, runs_table
from certd.reports.importers import Conditions, import_counts
from certd.reports.leaderboard import leaderboard
from certd.reports.paper import write_table
from certd.reports.printed import conditions, trimmed
from certd.reports.results_file import read_stored, write_results
from certd.smoothing.run import Run, write_run


@pytest.fixture(scope="module")
def run() -> Run:
    """Certify three digits of the built-in set."""
    from certd.datasets import open_dataset  # noqa: PLC0415 - the set is read once a module

    digits = open_dataset("digits").select(limit=3)
    classifier: BaseClassifier = load_model("digits-cnn")
    return certify(classifier, digits, sigma=0.25, plan="fixed", n=500, seed=1)


def test_rows_agree_in_every_form(run: Run) -> None:
    """CSV, NDJSON and Arrow hold the same values, floats to the last bit."""
    rows = rows_of(run)
    assert [json.loads(line) for line in export_ndjson(rows).splitlines()] == rows
    assert pa.ipc.open_stream(export_arrow(rows)).read_all().to_pylist() == rows
    table = list(csv.DictReader(io.StringIO(export_csv(rows))))
    assert [float(line["radius"]) for line in table] == [row["radius"] for row in rows]
    assert [json.loads(line["estimation_counts"]) for line in table] == [
        row["estimation_counts"] for row in rows
    ]


def test_a_leaderboard_entry_keeps_attack_and_certificate_apart(run: Run) -> None:
    """What is certified never stands where RobustBench puts what an attack measured."""
    entry = json.loads(export_robustbench(results_of(run)))
    assert entry["autoattack_acc"] is None
    assert entry["name"] == "digits-cnn"
    assert entry["certified_acc"]["0"] == "66.66", "two of three, rounded down"
    assert "sigma = 0.25" in entry["certified_with"]


@given(st.floats(0, 1000))
def test_a_radius_in_few_digits_is_no_larger_and_hardly_smaller(radius: float) -> None:
    """As a decimal that every reader of numbers takes."""
    text = trimmed(radius)
    assert re.fullmatch(r"\d+(\.\d*[1-9])?", text)
    assert radius * (1 - 1e-5) <= Fraction(text) <= Fraction(repr(radius))


def test_usual_radii_are_printed_as_people_write_them() -> None:
    """Short ones whole, others to six digits."""
    radii = (0.0, 0.25, 1.0, 0.3, 0.1 + 0.2, 100.0, 1 / 255, 8 / 255, 0.12345678, 1e-7)
    shown = "0 0.25 1 0.3 0.3 100 0.00392156 0.0313725 0.123456 0.0000001"
    assert " ".join(trimmed(radius) for radius in radii) == shown


def test_no_header_names_a_radius_above_the_one_that_was_counted(run: Run) -> None:
    """Tables, cards, entries and leaderboards, for a declared radius of many digits."""
    results = replace(results_of(run), declared_radii=(0.0, 0.12345678))
    assert runs_table([results]).header[-1] == "r = 0.123456"
    assert "| 0.123456 |" in export_model_card(results)
    assert "l2 radius 0.123456\n" in export_model_card(results)
    assert list(json.loads(export_robustbench(results))["certified_acc"]) == ["0", "0.123456"]
    assert accuracy_curve(results).table.rows[1][0] == "0.123456"
    board = leaderboard([results], by=0.12345678)
    assert board.by == "certified accuracy at radius 0.123456"
    assert list(board.groups[0].entries[0].certified_accuracy) == ["0", "0.123456"]
    with pytest.raises(InvalidParameter, match="not by inf"):
        leaderboard([results], by=float("inf"))


def test_an_estimate_prints_no_radius_above_the_largest() -> None:
    """Of 100,000 draws at sigma .25 it is .952865."""
    done = CliRunner().invoke(app, ["estimate", "digits-cnn", "--sigma", "0.25", "--plan", "fixed"])
    assert "largest l2 radius    0.9528\n" in done.output


def test_a_model_card_is_read_by_hubs_and_people(run: Run) -> None:
    """The front matter is YAML; the table below it says under which conditions."""
    _, front, text = export_model_card(results_of(run)).split("---\n", 2)
    (model,) = yaml.safe_load(front)["model-index"]
    assert model["results"][0]["metrics"][0]["value"] == pytest.approx(0.6666)
    assert "alpha = 0.001" in text


def test_a_top_k_certificate_is_exported_as_no_ordinary_one(run: Run) -> None:
    """Staying among the best two is less than staying the best: each form says which, or is refused."""
    results = results_of(run)
    two = replace(results, settings={**results.settings, "top_k": 2, "votes": "soft"})
    for writer in (export_cohen, export_robustbench):
        with pytest.raises(InvalidParameter, match=r"top-2.*CSV"):
            writer(two)
    _, front, text = export_model_card(two).split("---\n", 2)
    (model,) = yaml.safe_load(front)["model-index"]
    metrics = model["results"][0]["metrics"]
    assert {metric["type"] for metric in metrics} == {"certified_top_2_accuracy"}
    names = [metric["name"] for metric in metrics]
    assert all(name.startswith("certified top-2 accuracy at") for name in names)
    assert "| radius | certified top-2 accuracy |" in text
    for form in ("md", "tex"):
        assert "top-2 certificates" in write_table(runs_table([two]), form, [two])
    assert "soft votes" in conditions(two)
    assert "top-" not in conditions(results)
    assert "certified among the top 2" in str(accuracies(two).rows)


def test_unlabelled_results_have_no_accuracy_to_export() -> None:
    """The message says which form to use instead."""
    results = import_counts("a,b\n90,10\n", Conditions(sigma=0.5))
    for writer in (export_cohen, export_robustbench, export_model_card):
        with pytest.raises(InvalidParameter, match="CSV"):
            writer(results)


def test_imported_results_survive_their_file() -> None:
    """Every array and every condition is there again."""
    first = import_counts("idx,label,a,b\n4,0,90,10\n6,1,60,40\n", Conditions(0.5, 0.01, "laplace", "l1"))
    stream = io.BytesIO()
    write_results(stream, first)
    stream.seek(0)
    second = read_stored(stream).results
    for name in Results.__dataclass_fields__:
        ours, theirs = getattr(first, name), getattr(second, name)
        assert np.array_equal(ours, theirs) if isinstance(ours, np.ndarray) else ours == theirs, name


def test_damaged_results_are_refused_in_words() -> None:
    """A column or a fact that is missing is said to be, by the error of unreadable files."""
    first = import_counts("idx,label,a,b\n4,0,90,10\n6,1,60,40\n", Conditions(0.5, 0.01, "laplace", "l1"))
    stream = io.BytesIO()
    write_results(stream, first)
    table = pq.read_table(io.BytesIO(stream.getvalue()))
    for damaged in (table.drop(["radii"]), table.replace_schema_metadata({b"certd.results": b"{}"})):
        changed = io.BytesIO()
        pq.write_table(damaged, changed)
        with pytest.raises(UnreadableInput, match="results"):
            read_stored(io.BytesIO(changed.getvalue()))


def test_a_run_is_recognised_by_its_file(run: Run) -> None:
    """One reader serves runs and imported logs."""
    stream = io.BytesIO()
    write_run(stream, run)
    stream.seek(0)
    found = read_stored(stream)
    assert found.manifest == run.manifest
    assert found.results.radii.tolist() == results_of(run).radii.tolist()


def test_a_run_read_in_batches_is_the_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the file is cut, the report is the same to the last digit."""
    from certd.reports import results_file, summarize  # noqa: PLC0415 - beside its use
    from certd.reports.summary import summarize_results  # noqa: PLC0415

    monkeypatch.setattr(results_file, "BATCH_ROWS", 2)
    stream = io.BytesIO()
    write_run(stream, run)
    stored = read_stored(stream)
    assert stored.manifest is not None
    assert summarize_results(stored.results, stored.manifest) == summarize(run)


@given(
    counts=st.lists(st.integers(0, 1000), min_size=1, max_size=8),
    sigma=st.sampled_from([0.1, 0.25, 1 / 3, 1.0]),
)
def test_no_exported_radius_exceeds_the_proved_one(counts: list[int], sigma: float) -> None:
    """Whatever was counted, and whatever form is written."""
    lines = "".join(f"0,{count},{1000 - count}\n" for count in counts)
    results = import_counts("label,a,b\n" + lines, Conditions(sigma))
    proved = results.radii.tolist()
    rows = rows_of(results)
    cohen = [float(line.split("\t")[3]) for line in export_cohen(results).splitlines()[1:]]
    table = [float(line["radius"]) for line in csv.DictReader(io.StringIO(export_csv(rows)))]
    lined = [json.loads(line)["radius"] for line in export_ndjson(rows).splitlines()]
    arrow = pa.ipc.open_stream(export_arrow(rows)).read_all()["radius"].to_pylist()
    for printed in (cohen, table, lined, arrow):
        assert all(shown <= true for shown, true in zip(printed, proved, strict=True))
