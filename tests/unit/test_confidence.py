"""How sure classifiers are: closed forms, identities, and sums that equal what all draws would give."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm
from torch import nn

from certd.datasets import open_dataset
from certd.errors import InvalidParameter
from certd.local import certify
from certd.models import BaseClassifier, load_model
from certd.models.runtime.arithmetic import ExecutionArithmetic
from certd.models.runtime.prepare import prepare
from certd.noise import quantized_gaussian
from certd.noise.source import QuantizedNoiseSource
from certd.reports import results_of
from certd.reports.calibration import ConfidenceBins, bins_of
from certd.reports.confidence import confidence_report
from certd.reports.error_detection import detect_errors, risk_coverage
from certd.reports.page import page_of_run
from certd.reports.summary import summarize
from certd.smoothing import parse_request
from certd.smoothing.checkpoint import decode_records, encode_records
from certd.smoothing.draws import Draws, Phase
from certd.smoothing.run import read_run, write_run
from certd.smoothing.sampler import DrawRequest, ImageSet, Sampler
from certd.smoothing.votes import BINS, LOSS_SCALE, SCALE

if TYPE_CHECKING:
    from certd.datasets import Dataset, LazyDataset
    from certd.smoothing.run import Run

BATCH = 64


class Slope(nn.Module):
    """Logits whose difference is ``slope`` times the first pixel's margin over one half."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = slope

    def extra_repr(self) -> str:
        """Return the slope, which tells two of them apart."""
        return f"slope={self.slope}"

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        margin = images.flatten(1)[:, 0] - 0.5
        return torch.stack([torch.zeros_like(margin), self.slope * margin], dim=1)


def _certify(images: Dataset | LazyDataset, *, confidence: bool = True) -> Run:
    digits_cnn = load_model("digits-cnn")
    return certify(digits_cnn, images, sigma=0.5, plan="fixed", n=400, seed=1, confidence=confidence)


def _digits() -> Dataset | LazyDataset:
    return open_dataset("digits").select(skip=60)


def _white(slope: float, labels: list[int], n: int) -> Run:
    """Certify white pixels, whose margin is one half."""
    classifier = BaseClassifier.from_module(Slope(slope), f"slope-{slope}", (1, 1, 1), 2)
    images = np.full((len(labels), 1, 1, 1), 255, np.uint8)
    return certify(classifier, images, labels, sigma=0.5, plan="fixed", n=n, seed=2, confidence=True)


@pytest.fixture(scope="module")
def run() -> Run:
    """Certify every sixtieth digit, and record confidence."""
    return _certify(_digits())


def test_a_constant_confidence_has_the_known_measures() -> None:
    """At z = .9 and accuracy .7: o = .9, u = .1, every calibration error .2."""
    bins = bins_of(np.full(1000, 0.9), np.arange(1000) < 700)
    assert bins.over_confidence == pytest.approx(0.9, abs=1e-12)
    assert bins.under_confidence == pytest.approx(0.1, abs=1e-12)
    for power in (1, 2, np.inf):
        assert bins.calibration_error(power) == pytest.approx(0.2, abs=1e-12)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_over_and_under_confidence_make_up_the_gap(answers: list[tuple[float, bool]]) -> None:
    """|o P(wrong) - u P(right)| = |mean z - accuracy| <= ECE_1 <= ECE_2 <= MCE."""
    bins = bins_of(*zip(*answers, strict=True))
    wrong = 1 - bins.accuracy
    gap = abs(bins.confidence - bins.accuracy)
    made_up = abs(bins.over_confidence * wrong - bins.under_confidence * bins.accuracy)
    assert made_up == pytest.approx(gap, abs=1e-12)
    errors = [bins.calibration_error(power) for power in (1, 2, np.inf)]
    assert gap <= errors[0] + 1e-12
    assert errors == pytest.approx(sorted(errors), abs=1e-12)


@pytest.mark.parametrize(
    ("slope", "softmax", "clean"), [(1, 0.615976, None), (3, 0.745691, 0.817574), (20, 0.837453, 0.999955)]
)
def test_a_logistic_classifier_has_the_closed_forms(
    slope: float, softmax: float, clean: float | None
) -> None:
    """At margin and sigma one half: votes .841345; the mean softmax is an integral, the clean one a value."""
    exact, _ = quad(lambda z: norm.pdf(z) / (1 + np.exp(-slope * (0.5 + 0.5 * z))), -12, 12)
    assert exact == pytest.approx(softmax, abs=1e-6)
    report = confidence_report(results_of(_white(slope, [1], 40_000)))
    assert report is not None
    assert report.scores["vote share"][0] == pytest.approx(0.841345, abs=0.008)
    assert report.scores["mean softmax"][0] == pytest.approx(softmax, abs=0.008)
    if clean is not None:
        assert report.clean.confidence == pytest.approx(clean, abs=1e-6)


def test_sums_are_those_of_all_draws() -> None:
    """Storing every softmax gives the same histogram, sums, Brier score and log loss."""
    draws, label = 300, 3
    images = np.random.default_rng(5).integers(0, 256, (1, 1, 8, 8), dtype=np.uint8)
    source = QuantizedNoiseSource(quantized_gaussian(0.25), 11)
    prepared = prepare(load_model("digits-cnn"), ExecutionArithmetic(), BATCH)
    image_set = ImageSet(images, np.zeros(1, dtype=np.uint64))
    sampler = Sampler(prepared, source, name="x", num_classes=10)
    asked = [DrawRequest(0, Draws(Phase.ESTIMATION, 0, draws), label)]
    sums = sampler.count(image_set, asked)[0].confidence
    assert sums is not None
    stored, noisy = [], torch.empty(BATCH, 64)
    for start in range(0, draws, BATCH):
        rows = torch.arange(start, start + BATCH).clamp(max=draws - 1).to(torch.int32).view(torch.uint32)
        shown = torch.zeros(BATCH, dtype=torch.int64)
        source.perturb(image_set.pixels, image_set.image_ids, shown, rows, noisy)
        stored.append(prepared(noisy).double()[: draws - start])
    logits = torch.cat(stored)
    softmax = logits.softmax(dim=1).numpy()
    expected = bins_of(softmax.max(axis=1), softmax.argmax(axis=1) == label)
    assert (sums.draws == expected.counts).all()
    assert sums.confidence / SCALE == pytest.approx(expected.sums, abs=draws / SCALE)
    assert sums.scores / SCALE == pytest.approx(softmax.sum(axis=0), abs=draws / SCALE)
    assert sums.squares / SCALE == pytest.approx((softmax**2).sum(axis=0), abs=draws / SCALE)
    loss = -logits.log_softmax(dim=1)[:, label].numpy()
    assert sums.log_loss / LOSS_SCALE == pytest.approx(loss.clip(max=100).sum(), abs=draws / LOSS_SCALE)


def test_counts_do_not_change_when_confidence_is_recorded(run: Run) -> None:
    """Votes are the same votes, and so are the certificates."""
    for one, other in zip(run.certificates, _certify(_digits(), confidence=False).certificates, strict=True):
        assert one.conclusion == other.conclusion
        ours, theirs = (each.record.tallies[Phase.ESTIMATION] for each in (one, other))
        assert (ours.counts == theirs.counts).all()


def test_sums_do_not_depend_on_how_images_are_grouped(run: Run) -> None:
    """One image by itself, in the same batch shape, has the sums that it has among others."""
    alone = _certify(_digits().select(start=3, stop=4))
    assert alone.certificates[0].row() == run.certificates[3].row()


def test_a_run_is_read_back_whole(run: Run) -> None:
    """From Parquet and from a checkpoint, to the last bit."""
    stream = io.BytesIO()
    write_run(stream, run)
    stream.seek(0)
    assert [each.row() for each in read_run(stream).certificates] == [each.row() for each in run.certificates]
    records = [each.record for each in run.certificates]
    again = decode_records(encode_records(records))
    assert [each.clean_scores for each in again] == [each.clean_scores for each in records]
    assert encode_records(again) == encode_records(records)


def test_the_report_says_how_sure_the_classifiers_are(run: Run) -> None:
    """JSON and page carry all three; without the record neither does."""
    results = results_of(run)
    assert results.label_shares is not None
    found = summarize(run)["confidence"]
    assert found["noisy"]["accuracy"] == pytest.approx(results.label_shares.mean())
    assert "How sure the classifier is" in page_of_run(run)
    assert confidence_report(replace(results, softmax=None)) is None


def test_low_accuracy_is_warned_of() -> None:
    """Below one half a classifier that is never sure looks calibrated."""
    report = confidence_report(results_of(_white(1, [0, 0], 200)))
    assert report is not None
    assert len(report.warnings) == 3


def test_error_detection_has_its_closed_forms() -> None:
    """Perfect, reversed and useless scores; ties count half."""
    right = np.array([1, 1, 1, 0, 0], bool)
    perfect = detect_errors([0.9, 0.8, 0.7, 0.2, 0.1], right)
    assert perfect is not None
    assert (perfect.auroc, perfect.aupr, perfect.fpr_at_95) == (1, 1, 0)
    misled = detect_errors([0.1, 0.2, 0.3, 0.8, 0.9], right)
    assert misled is not None
    assert (misled.auroc, misled.fpr_at_95) == (0, 1)
    tied = detect_errors(np.ones(5), right)
    assert tied is not None
    assert (tied.auroc, tied.aupr, tied.fpr_at_95) == (0.5, 0.4, 1)
    assert detect_errors([1.0], [True]) is None
    coverage, risk = risk_coverage([0.9, 0.8, 0.7, 0.2, 0.1], right)
    assert (coverage[-1], risk[-1], risk[0]) == (1, 0.4, 0)


@pytest.mark.parametrize(
    ("options", "labelled"),
    [({"dtype": "checked"}, True), ({"plan": "fixed", "votes": "soft"}, True), ({}, False)],
)
def test_confidence_is_refused_where_it_means_nothing(options: dict[str, str], *, labelled: bool) -> None:
    """Unlabelled images, soft votes and checked votes."""
    request = parse_request({"model": "x", "sigma": 0.25, "confidence": True, **options})
    with pytest.raises(InvalidParameter) as refusal:
        request.resolve("x", labelled=labelled)
    assert refusal.value.pointer == "/confidence"


def test_bins_need_answers() -> None:
    """A mean over nothing is none."""
    with pytest.raises(InvalidParameter):
        ConfidenceBins(np.zeros((2, BINS), np.int64), np.zeros((2, BINS)))
