"""A stored run: counts are the record, and every conclusion is drawn from them anew."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from certd.errors import InvalidParameter, ShapeMismatch, UnreadableInput
from certd.models import load_model
from certd.reports.results_file import read_stored
from certd.smoothing import Run, parse_request, read_run, write_run
from certd.smoothing.certifier import Certifier
from certd.smoothing.run import conclude_rows, recorded

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="module")
def run() -> Run:
    """Return a run of four random images under the digits model."""
    classifier = load_model("digits-cnn")
    request = parse_request(
        {"model": "digits-cnn", "sigma": 0.25, "plan": "fixed", "n": 200, "seed": 5, "batch_size": 64}
    )
    certifier = Certifier(classifier, request.resolve(classifier.reference, labelled=False))
    images = np.random.default_rng(3).integers(0, 256, (4, 1, 8, 8), dtype=np.uint8)
    labels = np.array([1, 2, 3, 4])
    certificates = certifier.certify(images, np.arange(4, dtype=np.uint64), labels)
    return Run(certifier.manifest("digits", np.arange(6, dtype=np.uint64)), tuple(certificates))


def test_a_run_reads_back_as_it_was_written(run: Run) -> None:
    """Rows and manifest survive the file to the last bit."""
    stream = io.BytesIO()
    write_run(stream, run)
    read = read_run(io.BytesIO(stream.getvalue()))
    assert [c.row() for c in read.certificates] == [c.row() for c in run.certificates]
    assert read.manifest == run.manifest
    assert not read.complete


def test_conclusions_are_drawn_from_what_was_observed_alone(run: Run) -> None:
    """Without the columns that only repeat conclusions, the same certificates follow."""
    rows = [certificate.row() for certificate in run.certificates]
    kept = recorded(list(rows[0]))
    assert {"radius", "prediction", "p_a_lower", "top_count"}.isdisjoint(kept)
    bare = [{name: row[name] for name in kept} for row in rows]
    assert [each.row() for each in conclude_rows(run.manifest, bare)] == rows


def test_the_same_run_is_the_same_file(run: Run) -> None:
    """A shard that is computed twice overwrites itself with itself."""
    first, second = io.BytesIO(), io.BytesIO()
    write_run(first, run)
    write_run(second, run)
    assert first.getvalue() == second.getvalue()


def test_a_file_that_is_no_run_is_refused() -> None:
    """Other bytes say what they are not."""
    with pytest.raises(UnreadableInput, match="not a Parquet file"):
        read_run(io.BytesIO(b"hello"))


def _with(run: Run, change: Callable[[pa.Table], pa.Table]) -> bytes:
    """Return the file of ``run`` after ``change``."""
    stream = io.BytesIO()
    write_run(stream, run)
    changed = io.BytesIO()
    pq.write_table(change(pq.read_table(io.BytesIO(stream.getvalue()))), changed)
    return changed.getvalue()


def _first_row(**values: Any) -> Callable[[pa.Table], pa.Table]:
    """Return what puts ``values`` into the first row."""

    def change(table: pa.Table) -> pa.Table:
        first, *rest = table.to_pylist()
        return pa.Table.from_pylist([{**first, **values}, *rest], schema=table.schema)

    return change


@pytest.mark.parametrize("read", [read_run, read_stored])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.replace_schema_metadata({b"certd.manifest": b"{}"}), "manifest"),
        (lambda table: table.drop(["estimation_counts"]), "estimation draws are missing"),
        (lambda table: table.drop(["trail"]), "trail"),
        (_first_row(selection_counts=None), "selection draws are missing"),
        (_first_row(estimation_counts=[]), "estimation_counts"),
        (_first_row(estimation_counts=[300, -100, *[0] * 8]), "estimation_counts"),
        (_first_row(estimation_counts=[200, *[0] * 8]), "estimation_counts"),
        (_first_row(estimation_counts=[None] * 10), "damaged"),
        (_first_row(label=99), "label 99"),
        (_first_row(label=-1), "label -1"),
        (_first_row(image_id=None), "image_id"),
        (_first_row(trail=[5]), "looks"),
        (_first_row(soft_scores=[0] * 10, soft_squares=[0] * 10), "softmax"),
    ],
)
def test_a_damaged_file_is_refused_in_words(
    run: Run, change: Callable[[pa.Table], pa.Table], said: str, read: Callable[[BinaryIO], object]
) -> None:
    """Counts that the manifest does not fit are no record of anything; the message says what is wrong."""
    with pytest.raises(UnreadableInput, match=said):
        read(io.BytesIO(_with(run, change)))


@pytest.mark.parametrize("read", [read_run, read_stored])
def test_damaged_bytes_are_refused_in_words(run: Run, read: Callable[[BinaryIO], object]) -> None:
    """A flipped byte and a file cut short are no certd errors of another kind."""
    stream = io.BytesIO()
    write_run(stream, run)
    content = stream.getvalue()
    flipped = content[:60] + bytes([content[60] ^ 255]) + content[61:]
    for damaged in (flipped, content[: len(content) // 2], b""):
        with pytest.raises(UnreadableInput, match="Parquet"):
            read(io.BytesIO(damaged))


def test_looks_end_at_the_count_of_the_tested_class() -> None:
    """Looks that say more than the count would certify what the count does not."""
    classifier = load_model("digits-cnn")
    request = parse_request(
        {"model": "digits-cnn", "sigma": 0.25, "plan": "radii", "n": 500, "seed": 5, "batch_size": 64}
    )
    certifier = Certifier(classifier, request.resolve(classifier.reference, labelled=True))
    ids = np.arange(2, dtype=np.uint64)
    made = certifier.certify(np.zeros((2, 1, 8, 8), np.uint8), ids, np.array([1, 2]))
    run = Run(certifier.manifest("digits", ids), tuple(made))
    assert read_run(io.BytesIO(_with(run, lambda table: table))).certificates[0].row() == made[0].row()
    trail = made[0].record.trail
    for forged in ((*trail[:-1], trail[-1] + 1), ()):
        with pytest.raises(UnreadableInput, match="look"):
            read_run(io.BytesIO(_with(run, _first_row(trail=list(forged)))))
    with pytest.raises(UnreadableInput, match="chose its class"):
        read_run(io.BytesIO(_with(run, _first_row(label=None, trail=[]))))


def test_images_that_share_an_id_are_refused() -> None:
    """Two images of one id would share their noise, and their errors."""
    classifier = load_model("digits-cnn")
    request = parse_request({"model": "digits-cnn", "sigma": 0.25, "plan": "fixed", "n": 100})
    certifier = Certifier(classifier, request.resolve(classifier.reference, labelled=False))
    with pytest.raises(InvalidParameter, match="share an id"):
        certifier.certify(np.zeros((2, 1, 8, 8), np.uint8), np.zeros(2, np.uint64))


def test_images_of_another_shape_are_refused() -> None:
    """What the model does not take is said with both shapes."""
    classifier = load_model("digits-cnn")
    request = parse_request({"model": "digits-cnn", "sigma": 0.25, "plan": "fixed", "n": 100})
    certifier = Certifier(classifier, request.resolve(classifier.reference, labelled=False))
    with pytest.raises(ShapeMismatch, match=r"\(1, 8, 8\)"):
        certifier.certify(np.zeros((1, 3, 8, 8), np.uint8), np.zeros(1, np.uint64))


def test_a_certification_of_another_model_is_refused() -> None:
    """A certificate names the classifier that was executed, never another."""
    classifier = load_model("digits-cnn")
    request = parse_request({"model": "digits-cnn", "sigma": 0.25, "plan": "fixed", "n": 100})
    with pytest.raises(InvalidParameter, match="names other@sha256"):
        Certifier(classifier, request.resolve("other@sha256:" + "0" * 64, labelled=False))
