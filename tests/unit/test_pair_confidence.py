"""Two classifiers side by side: how sure they are of clean and of attacked images."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from certd.attacks import toolbox
from certd.attacks.answering import softmax_of
from certd.attacks.perturbation import NORMS, AttackName, AttackNorm, Budget, perturbed
from certd.attacks.toolbox import seeded
from certd.cli import app
from certd.datasets import open_dataset
from certd.errors import InvalidParameter, ShapeMismatch, Unavailable
from certd.models import BaseClassifier, load_model
from certd.reports.pair_confidence import MEASURES, Answers, pair_column

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

IMAGES, CLASSES = 300, 4


def _answers(seed: int, sharpness: float = 2.0) -> tuple[Answers, NDArray[np.float64], NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    logits = sharpness * random.normal(size=(IMAGES, CLASSES))
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.where(random.random(IMAGES) < 0.6, logits.argmax(axis=1), random.integers(0, CLASSES, IMAGES))
    return Answers.of(softmax, labels), softmax, labels


@pytest.mark.parametrize("seed", range(5))
def test_over_and_under_confidence_make_up_the_gap(seed: int) -> None:
    """|o P(wrong) - u P(right)| = |mean z - accuracy|, and no more than ECE, as for a single run."""
    found = _answers(seed)[0].measures()
    wrong, right = 1 - found["accuracy"], found["accuracy"]
    gap = abs(found["over_confidence"] * wrong - found["under_confidence"] * right)
    assert gap == pytest.approx(abs(found["confidence"] - found["accuracy"]), abs=1e-12)
    assert gap <= found["expected_calibration_error"] + 1e-12


def test_scores_are_those_of_their_definitions() -> None:
    """Brier and log loss, written out."""
    answers, softmax, labels = _answers(1)
    truth = np.eye(CLASSES)[labels]
    assert answers.brier == pytest.approx(((softmax - truth) ** 2).sum(axis=1), abs=1e-12)
    assert answers.log_loss == pytest.approx(-np.log(softmax[np.arange(IMAGES), labels]))
    certain = Answers.of(np.array([[1.0, 0.0]]), np.array([1]))
    assert certain.log_loss[0] == 100


def test_a_sample_that_is_the_images_has_their_measures() -> None:
    """What is resampled is what is reported; images drawn twice count twice."""
    answers, softmax, labels = _answers(2)
    once = answers.resampled(np.ones((1, IMAGES), np.int64))[0]
    assert once == pytest.approx(list(answers.measures().values()), abs=1e-12)
    times = np.random.default_rng(0).integers(0, 3, (1, IMAGES))
    rows = np.repeat(np.arange(IMAGES), times[0])
    again = Answers.of(softmax[rows], labels[rows]).measures()
    assert answers.resampled(times)[0] == pytest.approx(list(again.values()), abs=1e-12)


def test_a_classifier_does_not_differ_from_itself() -> None:
    """Every difference and both its ends are exactly 0, for the images are drawn in pairs."""
    answers = _answers(3)[0]
    column = pair_column("clean", answers, answers, seed=1)
    assert {(d.difference, d.lower, d.upper) for d in column.differences.values()} == {(0.0, 0.0, 0.0)}


def test_the_interval_is_of_pairs() -> None:
    """Where both find the same images hard, what is left differs by little, and the interval says so."""
    answers, softmax, labels = _answers(4)
    blurred = 0.95 * softmax + 0.05 / CLASSES
    paired = pair_column("clean", answers, Answers.of(blurred, labels)).differences["brier"]
    order = np.random.default_rng(1).permutation(IMAGES)
    loose = pair_column("clean", answers, Answers.of(blurred[order], labels[order])).differences["brier"]
    assert paired.difference == pytest.approx(loose.difference, abs=1e-12)
    assert paired.lower <= paired.difference <= paired.upper
    assert paired.upper - paired.lower < (loose.upper - loose.lower) / 5


def test_pairs_are_of_the_same_images() -> None:
    """Different numbers of images, or a level that is none, are refused."""
    first, softmax, labels = _answers(0)
    with pytest.raises(ShapeMismatch, match="same images"):
        pair_column("clean", first, Answers.of(softmax[1:], labels[1:]))
    with pytest.raises(ShapeMismatch, match="one label an image"):
        Answers.of(softmax, labels[1:])
    with pytest.raises(InvalidParameter, match="level"):
        pair_column("clean", first, first, level=1.0)


def _numpys_state() -> NDArray[np.uint32]:
    state = np.random.get_state(legacy=False)  # noqa: NPY002 - the generator that the toolbox reads
    return np.array(state["state"]["key"])


@pytest.fixture(scope="module")
def digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return 40 digits, pixels in [0, 1], and their labels."""
    images = open_dataset("digits").select(limit=40)
    assert images.labels is not None
    pixels = images.images[np.arange(40)].astype(np.float32) / np.float32(255)
    return pixels, np.asarray(images.labels)


@pytest.mark.parametrize(
    ("attack", "norm", "eps"), [("pgd", "linf", 0.15), ("pgd", "l2", 1.0), ("square", "linf", 0.15)]
)
def test_attacks_stay_within_their_budget_and_work(
    attack: AttackName, norm: AttackNorm, eps: float, digits: tuple[NDArray[np.float32], NDArray[np.int64]]
) -> None:
    """Pixels stay pixels, no perturbation is longer than eps, and images that were right become wrong."""
    classifier, (pixels, labels) = load_model("digits-cnn"), digits
    found = perturbed(classifier, pixels, labels, attack, Budget(eps=eps, norm=norm, queries=200))
    assert found.min() >= 0
    assert found.max() <= 1
    lengths = np.linalg.norm((found - pixels).reshape(len(pixels), -1), NORMS[norm], axis=1)
    assert lengths.max() <= eps * (1 + 1e-5)
    before, after = ((softmax_of(classifier, each).argmax(1) == labels).mean() for each in (pixels, found))
    assert after < before - 0.1


def test_square_in_l2_needs_room_for_its_tiles(digits: tuple[NDArray[np.float32], NDArray[np.int64]]) -> None:
    """On a digit of eight pixels the toolbox would divide by 0; on larger images it keeps its budget."""
    budget = Budget(eps=1.0, norm="l2", queries=30)
    with pytest.raises(InvalidParameter, match="10 pixels"):
        perturbed(load_model("digits-cnn"), *digits, "square", budget)
    # With these weights the toolbox divides by 0 on its way, too.
    torch.manual_seed(5)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(144, 2))
    larger = BaseClassifier.from_module(network, "larger", (1, 12, 12), 2)
    pixels = np.random.default_rng(0).random((5, 1, 12, 12)).astype(np.float32)
    found = perturbed(larger, pixels, np.zeros(5, np.int64), "square", budget)
    assert np.isfinite(found).all()
    assert np.linalg.norm((found - pixels).reshape(5, -1), axis=1).max() <= 1 + 1e-5


def test_a_seed_fixes_an_attack_and_leaves_the_rest_of_chance_alone(
    digits: tuple[NDArray[np.float32], NDArray[np.int64]],
) -> None:
    """The toolbox draws from the global generators: the same images again, and nobody else's draws moved."""
    classifier, (pixels, labels) = load_model("digits-cnn"), digits
    before, torchs = _numpys_state(), torch.random.get_rng_state()
    budget = Budget(eps=0.1, queries=50, seed=7)
    first, again = (perturbed(classifier, pixels, labels, "square", budget) for _ in range(2))
    assert np.array_equal(first, again)
    assert np.array_equal(before, _numpys_state())
    assert torch.equal(torchs, torch.random.get_rng_state())
    other = perturbed(classifier, pixels, labels, "square", Budget(eps=0.1, queries=50, seed=8))
    assert not np.array_equal(first, other)


def test_chance_is_given_back_when_an_attack_fails() -> None:
    """An error inside leaves the global generator as it was."""
    before = _numpys_state()
    with pytest.raises(ZeroDivisionError), seeded(3):
        raise ZeroDivisionError
    assert np.array_equal(before, _numpys_state())


def test_a_missing_toolbox_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to install."""
    monkeypatch.setattr(toolbox, "PACKAGE", "no-such-package")
    with pytest.raises(Unavailable, match=r"certd\[attacks\]"):
        toolbox.toolbox_version()


@pytest.mark.parametrize(
    "wrong", [{"eps": 0.0}, {"eps": float("nan")}, {"norm": "l0"}, {"steps": 0}, {"queries": 0}]
)
def test_a_budget_that_is_none_is_refused(wrong: dict[str, object]) -> None:
    """Lengths are positive and finite, counts at least 1."""
    with pytest.raises(InvalidParameter):
        Budget(**wrong)  # type: ignore[arg-type]


def test_the_command_reports_a_pair(tmp_path: Path) -> None:
    """The same model twice: three columns, differences of 0, a page that shows them."""
    page = tmp_path / "pair.html"
    asked = ["confidence", "digits-cnn", "digits-cnn", "digits", "--limit", "30", "--eps", "26/255"]
    done = CliRunner().invoke(
        app, [*asked, "--queries", "50", "--batch", "16", "--json", "--html", str(page)]
    )
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert list(said["columns"]) == ["clean", "PGD", "Square"]
    assert said["conditions"]["eps"] == 26 / 255
    assert said["conditions"]["toolbox"].startswith("adversarial-robustness-toolbox 1.")
    for column in said["columns"].values():
        assert column["first"] == column["second"]
        assert list(column["difference"]) == list(MEASURES)
        assert all(each["difference"] == 0 for each in column["difference"].values())
    clean, pgd = said["columns"]["clean"]["first"], said["columns"]["PGD"]["first"]
    assert pgd["accuracy"] < clean["accuracy"]
    text = page.read_text()
    assert text.count("<figure") == 3
    assert "Nothing here is a certificate" in text


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--eps", "8/0"], "fraction"),
        (["--norm", "l3"], "linf or l2"),
        (["--eps", "-1"], "positive eps"),
    ],
)
def test_the_command_refuses_what_is_no_budget(options: list[str], sentence: str) -> None:
    """Before anything is attacked."""
    done = CliRunner().invoke(app, ["confidence", "digits-cnn", "digits-cnn", "digits", *options])
    assert isinstance(done.exception, InvalidParameter)
    assert sentence in str(done.exception)
