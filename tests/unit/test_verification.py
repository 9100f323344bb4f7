"""Counts are the record: drawn again they are the same, and other conclusions follow from them."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from certd.cli.resumable import ResumableRun
from certd.datasets import load_dataset
from certd.errors import InvalidParameter
from certd.models import load_model
from certd.reports import results_of
from certd.reports.methods import methods_sentence
from certd.smoothing import Phase, Run, parse_request, read_run, write_run
from certd.smoothing.certifier import Certifier
from certd.smoothing.recomputation import recompute
from certd.smoothing.verification import verify
from certd.statistics import clopper_pearson_lower

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

pytestmark = pytest.mark.slow

IMAGES = load_dataset("digits").select(limit=6)


def _run(**options: Any) -> tuple[Run, Certifier]:
    classifier = load_model("digits-cnn")
    request = parse_request({"model": "digits-cnn", "sigma": 0.25, "seed": 5, "batch_size": 64, **options})
    certifier = Certifier(classifier, request.resolve(classifier.reference, labelled=True))
    certificates = certifier.certify(IMAGES.images, IMAGES.image_ids, IMAGES.labels)
    return Run(certifier.manifest("digits", np.arange(6, dtype=np.uint64)), tuple(certificates)), certifier


def _stored(run: Run) -> Run:
    """Return the run as its file gives it back."""
    stream = io.BytesIO()
    write_run(stream, run)
    return read_run(io.BytesIO(stream.getvalue()))


def _pixels(image_id: int) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = IMAGES.images[image_id]
    return pixels


def _label(image_id: int) -> int:
    assert IMAGES.labels is not None
    return int(IMAGES.labels[image_id])


@pytest.mark.parametrize(
    "options",
    [
        {"plan": "fixed", "n": 300},
        {"plan": "radii", "n": 1000},
        {"plan": "precision", "pilot": 100, "n": 1000},
        {"plan": "open", "n": 300},
        {"noise": "splitting"},
        {"noise": "laplace", "plan": "fixed", "n": 200},
        {"noise": "uniform", "norm": "linf", "plan": "fixed", "n": 200},
        {"arithmetic": "float", "plan": "fixed", "n": 200},
        {"plan": "fixed", "split": False, "n": 200},
        {"plan": "fixed", "votes": "soft", "n": 200},
        {"plan": "predict", "n": 200},
    ],
    ids=lambda options: "-".join(str(value) for value in options.values()),
)
def test_a_run_drawn_again_counts_the_same(options: dict[str, Any]) -> None:
    """Every plan and noise counts the same votes image by image as it did all together."""
    run, certifier = _run(**options)
    assert verify(run, certifier, _pixels).difference is None


def test_one_vote_moved_is_found_and_named() -> None:
    """A run in which a single vote went to another class is caught, with image, phase and class."""
    run, certifier = _run(plan="fixed", n=300)
    victim = run.certificates[3]
    tally = victim.record.tallies[Phase.ESTIMATION]
    moved = tally.counts.copy()
    moved[[7, 2]] += np.array([-1, 1]) if moved[7] else np.array([1, -1])
    tallies = {**victim.record.tallies, Phase.ESTIMATION: replace(tally, counts=moved)}
    forged = replace(victim, record=replace(victim.record, tallies=tallies))
    found = verify(replace(run, certificates=(*run.certificates[:3], forged)), certifier, _pixels)
    assert found.difference is not None
    assert found.difference.startswith("image 3, estimation draws, class 2: counted")


def _raised(trail: tuple[int, ...]) -> tuple[int, ...]:
    return (trail[0] + 1, *trail[1:])


@pytest.mark.parametrize(
    ("options", "change", "said"),
    [
        ({"plan": "radii", "n": 1000}, lambda t: {"trail": _raised(t.trail)}, "look 1"),
        (
            {"plan": "fixed", "n": 300, "votes": "soft", "mean_bound": "hoeffding"},
            lambda t: {"soft": replace(t.soft, scores=t.soft.scores + (1 << 28))},
            "sum of softmax",
        ),
        (
            {"plan": "fixed", "n": 300, "votes": "soft", "mean_bound": "bernstein"},
            lambda t: {"soft": replace(t.soft, squares=t.soft.squares // 2)},
            "sum of squared softmax",
        ),
        (
            {"plan": "fixed", "n": 300, "confidence": True},
            lambda t: {"confidence": replace(t.confidence, log_loss=t.confidence.log_loss + (1 << 30))},
            "sum of log loss",
        ),
        ({"plan": "fixed", "n": 300, "confidence": True}, lambda _: {"confidence": None}, "only one"),
    ],
)
def test_what_stands_beside_the_votes_is_compared_too(
    options: dict[str, Any], change: Callable[[Any], dict[str, Any]], said: str
) -> None:
    """Whatever a conclusion rests on is drawn again; a tenth of a draw that was added is found."""
    run, certifier = _run(**options)
    run = _stored(run)
    assert verify(run, certifier, _pixels).difference is None
    victim = run.certificates[3]
    tally = victim.record.tallies[Phase.ESTIMATION]
    tallies = {**victim.record.tallies, Phase.ESTIMATION: replace(tally, **change(tally))}
    forged = replace(victim, record=replace(victim.record, tallies=tallies))
    found = verify(replace(run, certificates=(*run.certificates[:3], forged)), certifier, _pixels)
    assert found.difference is not None
    assert found.difference.startswith("image 3")
    assert said in found.difference


def test_the_clean_image_s_softmax_is_compared_however_many_draws_there_were() -> None:
    """It is one softmax and no sum over draws."""
    run, certifier = _run(plan="fixed", n=10_000, confidence=True)
    victim = run.certificates[0]
    scores = victim.record.clean_scores
    assert scores is not None
    forged = replace(victim, record=replace(victim.record, clean_scores=(*scores[1:], scores[0])))
    found = verify(replace(run, certificates=(forged, *run.certificates[1:])), certifier, _pixels)
    assert found.difference is not None
    assert "softmax of the clean image" in found.difference


def test_another_label_than_the_data_set_has_is_found() -> None:
    """A label decides what is right, and what some plans test."""
    run, certifier = _run(plan="fixed", n=100)
    assert verify(run, certifier, _pixels, labels=_label).difference is None
    first, *rest = run.certificates
    label = 9 - _label(0)
    forged = replace(first, record=replace(first.record, label=label))
    found = verify(replace(run, certificates=(forged, *rest)), certifier, _pixels, labels=_label)
    assert found.difference is not None
    assert f"label is {9 - label} in the data set, {label} in the run" in found.difference


def test_another_picture_under_the_same_id_is_found() -> None:
    """Pixels that changed since the run are named before any draw is compared."""
    run, certifier = _run(plan="fixed", n=100)
    found = verify(run, certifier, lambda image_id: 255 - _pixels(image_id), sample=1)
    assert found.difference is not None
    assert "SHA-256" in found.difference


def test_another_alpha_is_recomputed_from_the_counts() -> None:
    """The bound at alpha = .05 is that of the stored count, with no forward pass."""
    run, _ = _run(plan="fixed", n=300)
    other = recompute(run, alpha=0.05)
    for before, after in zip(run.certificates, other.certificates, strict=True):
        assert after.record == before.record
        hits = before.conclusion.top_count
        assert after.conclusion.p_a_lower == pytest.approx(clopper_pearson_lower(hits, 300, 0.05), rel=1e-9)
        assert after.conclusion.radius > before.conclusion.radius


@pytest.mark.parametrize(
    "options",
    [{"plan": "precision", "pilot": 200, "n": 5000}, {"plan": "open", "n": 2000, "radius": 0.3}],
    ids=lambda options: options["plan"],
)
def test_what_was_concluded_anew_is_drawn_again_as_it_was_drawn(options: dict[str, Any]) -> None:
    """Where alpha decides how many draws are made, verification asks for those of the first alpha."""
    run, certifier = _run(**options)
    other = _stored(recompute(run, alpha=0.05))
    assert other.manifest.drawn_under == run.manifest.certification
    assert verify(other, certifier, _pixels).difference is None
    hasty = Certifier(load_model("digits-cnn"), other.manifest.certification)
    with pytest.raises(InvalidParameter, match="drawn_under"):
        verify(other, hasty, _pixels)


def test_what_was_concluded_anew_says_so_in_its_report() -> None:
    """What was chosen after the draws is named beside them; changed back it is what it was."""
    run, _ = _run(plan="fixed", n=300)
    other = recompute(run, alpha=0.05, top_k=2)
    said = "concluded anew with alpha = 0.05, top_k = 2, drawn under alpha = 0.001, top_k = 1"
    assert other.manifest.settings["marked"].startswith(said)
    assert said in methods_sentence(results_of(other))
    assert recompute(other, alpha=0.001, top_k=1).manifest == run.manifest


def test_what_was_concluded_anew_is_not_gone_on_with(tmp_path: Path) -> None:
    """Images drawn under another alpha would join it, and the mark would be lost."""
    run, _ = _run(plan="fixed", n=300)
    other = recompute(run, alpha=0.05)
    file = tmp_path / "run.parquet"
    with file.open("wb") as stream:
        write_run(stream, other)
    asked = other.manifest.model_copy(update={"drawn": None})
    with pytest.raises(InvalidParameter, match="another certification"):
        ResumableRun(asked, file).start(resume=True)


def test_another_norm_is_recomputed_from_the_counts() -> None:
    """On 64 pixels the linf radius of Gaussian noise is an eighth of the l2 radius."""
    run, _ = _run(plan="fixed", n=300)
    for before, after in zip(run.certificates, recompute(run, norm="linf").certificates, strict=True):
        assert after.conclusion.radius == pytest.approx(before.conclusion.radius / 8, rel=1e-6)


def test_the_two_sided_bound_and_top_k_are_recomputed() -> None:
    """Two-sided radii and top-2 radii come from the same counts; the second is never far below one-sided."""
    run, _ = _run(plan="fixed", n=300)
    one_sided = np.array([c.conclusion.radius for c in run.certificates])
    top_two = np.array([c.conclusion.radius for c in recompute(run, top_k=2).certificates])
    two_sided = np.array([c.conclusion.radius for c in recompute(run, bound="two-sided").certificates])
    assert (top_two > two_sided - 1e-9).all()
    assert (two_sided > one_sided - 0.01).all()


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        ({"plan": "radii", "n": 500}, {"alpha": 0.01}),
        ({"plan": "radii", "n": 500}, {"norm": "linf"}),
        ({"plan": "fixed", "n": 300}, {"n": 200}),
        ({"plan": "precision", "pilot": 50, "n": 300}, {"pilot": 60}),
    ],
)
def test_what_decided_the_draws_cannot_be_changed_afterwards(
    options: dict[str, Any], changes: dict[str, Any]
) -> None:
    """A rule that chose draws, or when they ended, is part of the record."""
    run, _ = _run(**options)
    with pytest.raises(InvalidParameter, match="cannot be changed afterwards"):
        recompute(run, **changes)


def test_interrupted_work_ends_as_if_it_had_not_been() -> None:
    """Certifying from any saved round gives the certificates of an undisturbed call."""
    run, certifier = _run(plan="radii", n=1000)
    rounds: list[Any] = []
    certifier.certify(
        IMAGES.images, IMAGES.image_ids, IMAGES.labels, on_round=lambda records: rounds.append(list(records))
    )
    for saved in (rounds[0], rounds[len(rounds) // 2], rounds[-1]):
        resumed = certifier.certify(IMAGES.images, IMAGES.image_ids, IMAGES.labels, records=saved)
        assert [c.row() for c in resumed] == [c.row() for c in run.certificates]


def test_records_of_other_images_are_not_gone_on_from() -> None:
    """Counts of one image must not be continued on another."""
    run, certifier = _run(plan="fixed", n=100)
    saved = [certificate.record for certificate in run.certificates]
    with pytest.raises(InvalidParameter, match="other images"):
        certifier.certify(IMAGES.images[::-1], IMAGES.image_ids, IMAGES.labels, records=saved)


@pytest.mark.parametrize("mean_bound", ["hoeffding", "bernstein"])
def test_soft_votes_are_summed_beside_the_hard_ones(mean_bound: str) -> None:
    """Scores of all classes sum to one a draw, less what was cut, and squares are below scores."""
    run, _ = _run(plan="fixed", n=300, votes="soft", mean_bound=mean_bound)
    for certificate in run.certificates:
        soft = certificate.record.tallies[Phase.ESTIMATION].soft
        assert soft is not None
        assert 300 - 1e-6 < soft.scores.sum() / 2**32 <= 300
        assert (soft.squares <= soft.scores).all()
        share = soft.scores[certificate.conclusion.top_class] / 2**32 / 300
        assert certificate.conclusion.p_a_lower < share


def test_thinned_votes_follow_the_softmax() -> None:
    """Counts of drawn classes are within 5 s.e. of the summed softmax of the same draws (fixed seed)."""
    thinned, _ = _run(plan="fixed", n=500, votes="soft")
    summed, _ = _run(plan="fixed", n=500, votes="soft", mean_bound="hoeffding")
    for one, other in zip(thinned.certificates, summed.certificates, strict=True):
        soft = other.record.tallies[Phase.ESTIMATION].soft
        assert soft is not None
        expected = soft.scores / 2**32
        error = np.abs(one.record.tallies[Phase.ESTIMATION].counts - expected)
        assert (error <= 5 * np.sqrt(expected) + 1).all()


def test_a_prediction_abstains_where_two_classes_are_close() -> None:
    """The predict plan returns the class of a clear majority, with radius 0 and no bound."""
    run, _ = _run(plan="predict", n=300)
    for certificate in run.certificates:
        first, second = np.sort(certificate.record.tallies[Phase.ESTIMATION].counts)[:-3:-1]
        assert certificate.conclusion.radius == 0
        assert (certificate.conclusion.prediction is None) == (first - second < 60)
