"""A stored run: counts are the record, and every conclusion is drawn from them anew."""

from __future__ import annotations

import io

import numpy as np
import pytest

from certd.errors import InvalidParameter, ShapeMismatch, UnreadableInput
from certd.models import load_model
from certd.smoothing import Run, parse_request, read_run, write_run
from certd.smoothing.certifier import Certifier
from certd.smoothing.run import conclude_rows, recorded


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
