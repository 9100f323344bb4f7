"""A result answers what the report says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import certd
from certd.datasets import load_dataset
from certd.errors import InvalidParameter, NotFound

if TYPE_CHECKING:
    from pathlib import Path

DIGITS = load_dataset("digits").select(limit=12)


@pytest.fixture(scope="module")
def result() -> certd.Result:
    """Certify twelve digits."""
    return certd.certify("digits-cnn", DIGITS.images, DIGITS.labels, sigma=0.25, plan="fixed", n=400, seed=3)


def test_a_result_says_what_its_report_says(result: certd.Result) -> None:
    """Average, accuracies and distribution are those of the report; radii and predictions of the rows."""
    report = result.report()
    assert result.acr == report["average_certified_radius"]["value"]
    rows = report["certified_accuracy"]
    asked = [row["radius"] for row in rows]
    assert result.certified_accuracy(asked) == [row["certified_accuracy"] for row in rows]
    assert result.pa_distribution() == report["pa_distribution"]
    assert len(result.radii) == len(result.predictions) == 12
    assert [p is None for p in result.predictions] == [c.conclusion.abstained for c in result.certificates]


def test_a_result_is_read_as_it_was_saved(result: certd.Result, tmp_path: Path) -> None:
    """Counts, conclusions and manifest."""
    result.save(tmp_path / "run.parquet")
    again = certd.Result.load(tmp_path / "run.parquet")
    assert again.report() == result.report()
    assert again.radii == result.radii


def test_a_result_is_drawn_and_tabled(result: certd.Result, tmp_path: Path) -> None:
    """In the form that the file's ending names; as LaTeX; as a page."""
    result.plot(tmp_path / "pa.svg")
    assert (tmp_path / "pa.svg").read_text().startswith("<svg")
    assert r"\toprule" in result.to_latex()
    assert result.page().startswith("<!doctype html>")
    with pytest.raises(InvalidParameter, match="svg, png, pdf"):
        result.plot(tmp_path / "pa.gif")
    with pytest.raises(NotFound, match="certified-accuracy"):
        result.plot(tmp_path / "pa.svg", figure="nothing")


def test_a_result_is_a_data_frame(result: certd.Result) -> None:
    """One row an image."""
    frame = result.to_pandas()
    assert frame["radius"].tolist() == result.radii
    assert frame["estimation_counts"].map(sum).tolist() == [400] * 12


def test_what_needs_labels_says_so() -> None:
    """An average over unlabelled images is refused, not zero."""
    unlabelled = certd.certify("digits-cnn", DIGITS.images[:2], sigma=0.25, plan="fixed", n=100, seed=3)
    for ask in (lambda: unlabelled.acr, lambda: unlabelled.certified_accuracy(0.0)):
        with pytest.raises(InvalidParameter, match="label"):
            ask()
