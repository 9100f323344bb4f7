"""Attacks beside certificates: what is proved is never refuted, and what is found is true."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from certd.attacks.bracket import Bracket, BracketFile, Search, read_brackets
from certd.attacks.smoothed import SmoothedAttack
from certd.cli import app
from certd.errors import Conflict, InvalidParameter, UnreadableInput
from certd.models import BaseClassifier, load_model
from certd.reports.bracket_page import bracket_page
from certd.reports.brackets import BracketReport, bracket_summary
from certd.smoothing import Certification, parse_request
from certd.smoothing.certifier import Certifier

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from certd.smoothing.certificate import Certificate

SIGMA, SHAPE, IMAGES = 0.25, (1, 6, 6), 6
# A bound from above is false with probability .001: of the dozens below hardly one.
SEARCH = Search(eps=1.0, steps=10, copies=16, rounds=2, votes=400, n=20_000, seed=2)


class HalfSpace(nn.Module):
    """Two classes with a plane between them: the smoothed classifier's radius is the distance to it."""

    def __init__(self) -> None:
        super().__init__()
        weights = np.random.default_rng(5).normal(size=int(np.prod(SHAPE)))
        self.normal = nn.Parameter(torch.tensor(weights / np.linalg.norm(weights), dtype=torch.float32))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits of both sides; sharp, so that gradients lead across."""
        distance = (images.flatten(1) - 0.5) @ self.normal
        return 5 * torch.stack([-distance, distance], dim=1)


def _classifier() -> BaseClassifier:
    return BaseClassifier.from_module(HalfSpace(), "half-space", SHAPE, 2)


def _images(classifier: BaseClassifier) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return grey images at distances .1 to .35 on the positive side, and their distances exactly."""
    normal = next(classifier.module.parameters()).detach().double().numpy()
    wanted = np.linspace(0.1, 0.35, IMAGES)
    images = np.rint(255 * (0.5 + wanted[:, None] * normal)).astype(np.uint8).reshape(IMAGES, *SHAPE)
    return images, (images.reshape(IMAGES, -1) / 255 - 0.5) @ normal


def _asked(classifier: BaseClassifier, **options: Any) -> Certification:
    asked = {"model": classifier.name, "sigma": SIGMA, "plan": "fixed", "n": 20_000, "seed": 1, **options}
    return parse_request({**asked, "batch_size": 256}).resolve(classifier.reference, labelled=True)


def _certified(
    classifier: BaseClassifier, images: NDArray[np.uint8], certification: Certification
) -> list[Certificate]:
    ids = np.arange(len(images), dtype=np.uint64)
    return Certifier(classifier, certification).certify(images, ids, np.ones(len(images), np.int64))


@pytest.fixture(scope="module")
def plane() -> tuple[BaseClassifier, NDArray[np.uint8], NDArray[np.float64], list[Certificate]]:
    """Return the half space, images, their distances, and their certificates."""
    classifier = _classifier()
    images, exact = _images(classifier)
    return classifier, images, exact, _certified(classifier, images, _asked(classifier))


Plane = tuple[BaseClassifier, "NDArray[np.uint8]", "NDArray[np.float64]", "list[Certificate]"]


def _bracket(plane: Plane, i: int, search: Search) -> Bracket:
    classifier, images, _, certificates = plane
    return SmoothedAttack(classifier, _asked(classifier), search).bracket(certificates[i], images[i])


@pytest.mark.parametrize("i", range(IMAGES))
def test_nothing_is_found_inside_the_certified_ball(plane: Plane, i: int) -> None:
    """On a linear classifier the certificate is true, so no search may refute it."""
    _, _, exact, certificates = plane
    radius = certificates[i].conclusion.radius
    assert 0 < radius < exact[i]
    assert _bracket(plane, i, replace(SEARCH, eps=radius)).attacked is None


@pytest.mark.parametrize("i", range(IMAGES))
def test_just_outside_the_exact_radius_the_attack_succeeds(plane: Plane, i: int) -> None:
    """The nearest other answer lies at the plane; what is found lies beyond it, and not far."""
    exact = plane[2][i]
    found = _bracket(plane, i, replace(SEARCH, eps=1.15 * exact + 0.01))
    assert found.attacked is not None
    assert exact <= found.attacked <= 1.15 * exact + 0.01
    assert (found.found_class, found.predicted, found.label) == (0, 1, 1)
    assert not found.contradiction


def test_a_search_that_is_not_tested_would_refute_what_is_true(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guided by a single copy the search ends anywhere; the test of what it found lets none of it through."""
    blind = replace(SEARCH, votes=1, steps=2, rounds=8)
    brackets = [_bracket(plane, i, blind) for i in range(IMAGES)]
    assert all(each.attacked is None or each.attacked >= plane[2][each.image_id] for each in brackets)
    monkeypatch.setattr(SmoothedAttack, "_put_to_the_test", _believe)
    believed = [_bracket(plane, i, blind) for i in range(IMAGES)]
    assert any(each.attacked and each.attacked < plane[2][each.image_id] for each in believed)


def _believe(attack: SmoothedAttack, target: Any, nearest: NDArray[np.float32], found: Bracket) -> Bracket:
    """Take what was found for what it looks like."""
    del attack
    return replace(found, attacked=float(np.linalg.norm(nearest - target.pixels / 255)))


def test_the_evidence_is_kept(plane: Plane) -> None:
    """The image found can be had again, lies where it is said to lie, and gets another class."""
    classifier, images, _, _ = plane
    found = _bracket(plane, 2, SEARCH)
    pixels = found.pixels(SHAPE)
    assert pixels is not None
    assert found.attacked == pytest.approx(np.linalg.norm((pixels.astype(float) - images[2]) / 255))
    asked = _asked(classifier, plan="predict", n=20_000, n0=None, seed=77)
    (again,) = _certified(classifier, pixels[None].copy(), asked)
    assert again.conclusion.prediction == found.found_class


def test_a_bracket_depends_on_its_image_alone(plane: Plane) -> None:
    """Whatever was attacked before: so an attack that was stopped goes on to the same end."""
    classifier, images, _, certificates = plane
    attack = SmoothedAttack(classifier, _asked(classifier), SEARCH)
    in_turn = [attack.bracket(certificates[i], images[i]) for i in (0, 3)]
    assert in_turn[1] == _bracket(plane, 3, SEARCH)


def test_linf_radii_are_attacked_in_linf(plane: Plane) -> None:
    """The length found is of the run's norm; to a plane it is the distance over the l1 of the normal."""
    classifier, images, exact, _ = plane
    certification = _asked(classifier, norm="linf")
    (certificate,) = _certified(classifier, images[5:], certification)
    attack = SmoothedAttack(classifier, certification, replace(SEARCH, eps=0.2))
    found = attack.bracket(replace(certificate), images[5])
    normal = next(classifier.module.parameters()).detach().double().numpy()
    assert found.attacked is not None
    assert certificate.conclusion.radius < exact[5] / np.abs(normal).sum() <= found.attacked + 1 / 255


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"seed": 2}, "a seed other than"),
        ({"noise": "laplace"}, "Gaussian noise"),
        ({"plan": "predict", "n": 1000}, "single smoothed classifier"),
        ({"top_k": 2}, "top-k"),
    ],
)
def test_runs_that_cannot_be_attacked_are_refused(options: dict[str, Any], sentence: str) -> None:
    """With a sentence that says why."""
    classifier = _classifier()
    if "top_k" in options:
        classifier = replace(classifier, num_classes=3)
    with pytest.raises(InvalidParameter, match=sentence):
        SmoothedAttack(classifier, _asked(classifier, **options), SEARCH)


def test_what_was_not_certified_is_not_attacked(plane: Plane) -> None:
    """An abstention has no radius, and other pixels have another certificate."""
    classifier, images, _, certificates = plane
    attack = SmoothedAttack(classifier, _asked(classifier), SEARCH)
    abstained = replace(certificates[0], conclusion=replace(certificates[0].conclusion, prediction=None))
    with pytest.raises(InvalidParameter, match="not certified"):
        attack.bracket(abstained, images[0])
    with pytest.raises(InvalidParameter, match="not the one"):
        attack.bracket(certificates[0], images[1])


@pytest.mark.parametrize(
    "wrong", [{"eps": 0}, {"eps": float("inf")}, {"alpha": 1}, {"n": 0}, {"rounds": 0}, {"seed": -1}]
)
def test_a_search_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    """Lengths are positive and finite, counts at least 1, probabilities inside (0, 1)."""
    with pytest.raises(InvalidParameter):
        replace(SEARCH, **wrong)


HEADER = {
    "run": {"model": "half-space@sha256:0", "norm": "l2", "sigma": SIGMA, "alpha": 0.001},
    "search": {"copies": 16, "rounds": 2, "steps": 10, "eps": 1.0, "n": 20_000, "alpha": 0.001},
    "toolbox": "toolbox 1",
}


def test_a_contradiction_is_said_aloud() -> None:
    """A perturbation inside the certified radius means that one of two statements is false."""
    brackets = [Bracket(4, 1, 1, 0.5, 0.4, 0, 900, 1000, 1), Bracket(5, 1, 1, 0.5, 0.6, 0, 900, 1000, 1)]
    report = BracketReport(brackets, HEADER, 3)
    (warning,) = report.warnings
    assert "Image 4" in warning
    assert "0.4000" in warning
    assert "One of the two is false" in warning
    assert report.as_json()["contradictions"] == [4]
    assert "Contradiction" in bracket_page(report)


def test_a_report_of_nothing_found_is_a_report() -> None:
    """No attack succeeded, on one image or on none."""
    for brackets in ([Bracket(4, None, 1, 0.5)], []):
        report = BracketReport(brackets, HEADER, 3)
        assert report.median_share is None
        assert "no other answer found" in str(bracket_summary(report).rows)
        assert "What was found" in bracket_page(report)


def test_a_line_that_was_cut_short_is_attacked_again(tmp_path: Path) -> None:
    """What was written whole stays, and the file goes on after it."""
    path, first = tmp_path / "brackets", Bracket(1, 0, 0, 0.5, 0.7, 1, 900, 1000, 1, "eJw=")
    kept = BracketFile(path, HEADER)
    assert kept.start(resume=True) == []
    kept.add(first)
    with path.open("a") as stream:
        stream.write('{"image_id": 2, "lab')
    assert BracketFile(path, HEADER).start(resume=True) == [first]
    kept.add(replace(first, image_id=3))
    assert [each.image_id for each in read_brackets(path)[1]] == [1, 3]


def test_brackets_of_another_search_are_not_mixed(tmp_path: Path) -> None:
    """Neither is a file overwritten without being asked for, nor one read that is something else."""
    path = tmp_path / "brackets"
    BracketFile(path, HEADER).start(resume=False)
    with pytest.raises(Conflict, match="--resume"):
        BracketFile(path, HEADER).start(resume=False)
    with pytest.raises(Conflict, match="another run or search"):
        BracketFile(path, {**HEADER, "toolbox": "toolbox 2"}).start(resume=True)
    for text in ("", "{}\n", "[1]\n", "PAR1", f"{json.dumps({'format': 'certd-attacks-1'})}\n{{}}\n"):
        path.write_text(text)
        with pytest.raises(UnreadableInput, match="certd attack"):
            read_brackets(path)


def test_the_command_brackets_a_run_and_goes_on(tmp_path: Path) -> None:
    """Stopped after two images and gone on with: the file of an attack in one go, byte for byte."""
    run, whole, parts, page = (tmp_path / name for name in ("run.parquet", "whole", "parts", "page.html"))
    asked = ["digits", "--sigma", "0.25", "--plan", "fixed", "--n", "500", "--limit", "3", "--seed", "1"]
    assert CliRunner().invoke(app, ["certify", "digits-cnn", *asked, "--out", str(run)]).exit_code == 0
    search = [
        "attack",
        str(run),
        "--seed",
        "2",
        "--n",
        "1000",
        "--steps",
        "4",
        "--copies",
        "4",
        "--rounds",
        "2",
    ]
    done = CliRunner().invoke(app, [*search, "--out", str(whole), "--json", "--html", str(page)])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["contradictions"] == []
    assert said["images"] == 3
    assert said["found"] >= 1
    assert all(each["attacked"] is None or each["attacked"] > each["certified"] for each in said["brackets"])
    assert page.read_text().count("<figure") == 2
    assert CliRunner().invoke(app, [*search, "--out", str(parts), "--limit", "2"]).exit_code == 0
    assert isinstance(CliRunner().invoke(app, [*search, "--out", str(parts)]).exception, Conflict)
    assert CliRunner().invoke(app, [*search, "--out", str(parts), "--resume"]).exit_code == 0
    assert parts.read_bytes() == whole.read_bytes()


def test_the_report_of_a_run_takes_in_what_was_found_of_it(tmp_path: Path) -> None:
    """A section, JSON of its own and every contradiction; brackets of another run are refused."""
    run, other, found = (str(tmp_path / name) for name in ("run.parquet", "other.parquet", "found"))
    asked = [
        "certify",
        "digits-cnn",
        "digits",
        "--plan",
        "fixed",
        "--n",
        "200",
        "--limit",
        "2",
        "--seed",
        "1",
    ]
    for file, sigma in ((run, "0.25"), (other, "0.5")):
        assert CliRunner().invoke(app, [*asked, "--sigma", sigma, "--out", file]).exit_code == 0
    search = ["--seed", "2", "--n", "500", "--steps", "2", "--copies", "2", "--rounds", "1"]
    assert CliRunner().invoke(app, ["attack", run, *search, "--out", found]).exit_code == 0
    page = tmp_path / "page.html"
    report = ["report", run, "--attacks", found, "--html", str(page)]
    said = json.loads(CliRunner().invoke(app, [*report, "--json"]).stdout)["attacks"]
    assert said["images"] == 2
    assert said["contradictions"] == []
    assert "attacks" not in json.loads(CliRunner().invoke(app, ["report", run, "--json"]).stdout)
    assert "Between what the radii lie" in page.read_text()
    assert 'id="brackets"' in page.read_text()
    assert "certified images attacked" in CliRunner().invoke(app, report).stdout
    wrong = CliRunner().invoke(app, ["report", other, "--attacks", found])
    assert isinstance(wrong.exception, Conflict)
    _contradict(tmp_path / "found")
    loud = CliRunner().invoke(app, [*report, "--json"])
    assert "One of the two is false" in loud.stderr
    assert "One of the two is false" in page.read_text()
    assert json.loads(loud.stdout)["attacks"]["contradictions"]


def _contradict(path: Path) -> None:
    """Write a perturbation shorter than what is certified into a file of brackets."""
    header, first, *others = path.read_text().splitlines()
    bracket = {**json.loads(first), "attacked": json.loads(first)["certified"] / 2, "found_class": 9}
    path.write_text("\n".join([header, json.dumps(bracket), *others]) + "\n")


def test_the_run_is_attacked_as_it_was_executed() -> None:
    """The test of what was found runs in the run's arithmetic and batch, or in the one it certifies."""
    classifier = load_model("digits-cnn")
    for dtype, expected in (("bfloat16", "bfloat16"), ("checked", "float32")):
        request = parse_request(
            {"model": "digits-cnn", "sigma": 0.25, "n": 1000, "seed": 1, "batch_size": 64, "dtype": dtype}
        )
        certification = request.resolve(classifier.reference, labelled=False)
        attack = SmoothedAttack(classifier, certification, replace(SEARCH, n=500))
        assert attack.execution.dtype == expected
        assert attack.execution.batch_size == 64
