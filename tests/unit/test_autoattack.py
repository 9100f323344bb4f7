"""AutoAttack: exact on linear classifiers, believed only where it can be seen, stopped and gone on with."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from importlib import metadata
from itertools import islice
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pytest
import torch
from pyautoattack import AutoAttack
from pyautoattack.fab_pt import FABAttack_PT
from typer.testing import CliRunner

from certd.attacks.auto_attack import AutoAttacker, AutoAttackSettings
from certd.attacks.robustness import missing_stages
from certd.attacks.stages import CLEAN, Stage, StageFile, read_stages
from certd.cli import app
from certd.datasets import Dataset, load_dataset
from certd.errors import Conflict, InvalidParameter, ModelError, ShapeMismatch, Unavailable, UnreadableInput
from certd.models import BaseClassifier, load_model
from certd.reports.claims import differences, read_model_info, write_model_info
from certd.reports.robust_accuracy import RobustAccuracy, as_model_info, standing_table

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from certd.attacks.auto_attack import Preset
    from certd.attacks.perturbation import AttackNorm

CLASSES, SHAPE = 4, (1, 5, 5)
PIXELS = 25
SHORT = AutoAttackSettings(eps=0.1, batch_size=4, iterations=5, queries=20)


def _linear() -> tuple[BaseClassifier, NDArray[np.float64]]:
    """Return a linear classifier and its weights, float64[class, pixel]."""
    weights = np.random.default_rng(7).normal(size=(CLASSES, PIXELS))
    layer = torch.nn.Linear(PIXELS, CLASSES)
    layer.load_state_dict({"weight": torch.from_numpy(weights).float(), "bias": torch.zeros(CLASSES)})
    module = torch.nn.Sequential(torch.nn.Flatten(), layer)
    return BaseClassifier.from_module(module, "linear", SHAPE, CLASSES), weights


def _grey(number: int) -> NDArray[np.float32]:
    """Return images from whose pixels every perturbation of these tests stays within [0, 1]."""
    return np.random.default_rng(1).uniform(0.3, 0.7, (number, *SHAPE)).astype(np.float32)


def _distances(
    weights: NDArray[np.float64], images: NDArray[np.float32], norm: AttackNorm
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the class of each image, and how far it is to the nearest other: margin over the dual norm."""
    logits = images.reshape(len(images), -1).astype(np.float64) @ weights.T
    classes = logits.argmax(axis=1)
    dual = np.linalg.norm(weights[classes][:, None] - weights, ord=1 if norm == "linf" else 2, axis=2)
    margins = logits.max(axis=1)[:, None] - logits
    others = np.arange(CLASSES) != classes[:, None]
    ratios = np.where(others, margins / np.where(others, dual, 1), np.inf)
    return classes, ratios.min(axis=1)


@pytest.mark.parametrize(
    ("norm", "preset"), [("linf", "standard"), ("l2", "standard"), ("l2", "plus"), ("linf", "rand")]
)
def test_on_a_linear_classifier_images_fall_exactly_within_their_distance(
    norm: AttackNorm, preset: Preset
) -> None:
    """No image whose distance to another class exceeds eps falls, and every one that is nearer does.

    Preset rand goes for no class in particular, and may miss an image near the edge: not one within .8 eps.
    """
    classifier, weights = _linear()
    images = _grey(24)
    classes, distances = _distances(weights, images, norm)
    near, far = np.sort(distances)[11:13]
    assert far > 1.01 * near
    settings = AutoAttackSettings(float((near + far) / 2), norm, preset, iterations=20, queries=20)
    attacker = AutoAttacker(classifier, settings)
    fell = np.zeros(24, np.bool_)
    for attack in attacker.attacks:
        fell[~fell] = attacker.fallen(attack, images[~fell], classes[~fell])[0]
    surely = 0.8 * settings.eps if preset == "rand" else near
    assert not fell[distances >= far].any()
    assert fell[distances <= surely].all()
    assert (distances <= surely).sum() > 4


@pytest.mark.parametrize(
    ("moved", "reach", "counts"),
    [
        pytest.param(lambda start, away: start + 0.999 * away, 0, True, id="within"),
        pytest.param(lambda start, away: start + 1.01 * away, 0, False, id="too far"),
        pytest.param(lambda start, away: start + 2 * (away > 0), 3, False, id="no image"),
        pytest.param(lambda start, away: start - 0.999 * away, 0, False, id="gets its label"),
        pytest.param(lambda start, _: start, 0, False, id="untouched"),
    ],
)
def test_what_the_package_returns_is_believed_only_where_it_can_be_seen(
    monkeypatch: pytest.MonkeyPatch, moved: Any, reach: float, *, counts: bool
) -> None:
    """A point too far away, one that is no image, and one that gets the label have not brought it down."""
    classifier, weights = _linear()
    images = _grey(1)
    classes, distances = _distances(weights, images, "linf")
    eps = 1.1 * float(distances[0])
    logits = images.reshape(1, -1) @ weights.T
    dual = np.abs(weights[classes[0]] - weights).sum(axis=1)
    order = (logits.max() - logits[0]) / np.maximum(dual, 1e-9)
    order[classes[0]] = np.inf
    away = torch.from_numpy(np.sign(weights[order.argmin()] - weights[classes[0]]).reshape(1, *SHAPE) * eps)

    def returned(self: Any, start: torch.Tensor, labels: torch.Tensor, **_: Any) -> Any:
        return moved(start, away.float()), labels

    monkeypatch.setattr(AutoAttack, "run_standard_evaluation", returned)
    attacker = AutoAttacker(classifier, AutoAttackSettings(max(eps, reach)))
    assert attacker.fallen("square", images, classes)[0].tolist() == [counts]


def test_attacks_leave_one_another_and_the_global_generator_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Untargeted FAB of preset plus has its five restarts also after the targeted one, which leaves one."""
    restarts = []

    def noted(self: Any, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        restarts.append(self.n_restarts)
        torch.rand(3)
        return images

    monkeypatch.setattr(FABAttack_PT, "perturb", noted)
    classifier, weights = _linear()
    classes, _ = _distances(weights, _grey(2), "linf")
    attacker = AutoAttacker(classifier, AutoAttackSettings(preset="plus"))
    before = torch.random.get_rng_state()
    for attack in ("fab-t", "fab"):
        attacker.fallen(attack, _grey(2), classes)
    assert restarts == [1, 5]
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_random_classifier_is_warned_of() -> None:
    """What the package says to its logger is kept; the preset for such classifiers has nothing to say."""

    class Noisy(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.flatten(1)[:, :CLASSES] + torch.randn(len(images), CLASSES)

    classifier = BaseClassifier.from_module(Noisy(), "noisy", SHAPE, CLASSES)
    labels = np.zeros(2, np.int64)
    _, heard = AutoAttacker(classifier, SHORT).fallen("apgd-ce", _grey(2), labels)
    assert any("randomized" in text for text in heard)
    rand = AutoAttacker(classifier, replace(SHORT, preset="rand"))
    assert not any("randomized" in text for text in rand.fallen("apgd-ce", _grey(2), labels)[1])


@pytest.fixture(scope="module")
def digits() -> Dataset:
    """Return eight held-out digits."""
    return load_dataset("digits").select(limit=8)


@pytest.fixture(scope="module")
def attacker() -> AutoAttacker:
    """Return a shortened attack on the built-in classifier of digits."""
    return AutoAttacker(load_model("digits-cnn"), SHORT)


@pytest.fixture(scope="module")
def whole(digits: Dataset, attacker: AutoAttacker) -> list[Stage]:
    """Return every stage of an evaluation that nobody stopped."""
    return list(missing_stages(attacker, digits, SHORT.batch_size))


def test_an_image_falls_once_and_later_attacks_see_what_stands(whole: list[Stage]) -> None:
    """Each part passes through every attack in order, and each attack is shown what the last one left."""
    assert [(stage.part, stage.attack) for stage in whole] == [
        (part, attack) for part in (0, 1) for attack in (CLEAN, "apgd-ce", "apgd-t", "fab-t", "square")
    ]
    for part in (0, 1):
        stages = [stage for stage in whole if stage.part == part]
        left = np.cumsum([0, *(len(stage.fallen) for stage in stages)])
        assert [stage.tried for stage in stages] == (4 - left[:-1]).tolist()
    fallen = [image for stage in whole for image in stage.fallen]
    assert len(fallen) == len(set(fallen)) > 0


@pytest.mark.parametrize("stopped", [0, 1, 3, 5, 8, 10])
def test_an_evaluation_that_was_stopped_ends_as_if_it_had_not_been(
    stopped: int, digits: Dataset, attacker: AutoAttacker, whole: list[Stage], tmp_path: Path
) -> None:
    """Whatever was finished stays, a line that was cut short is dropped, the rest is the same."""
    kept = StageFile(tmp_path / "out.jsonl", {"x": 1})
    assert kept.start(resume=False) == []
    for stage in islice(missing_stages(attacker, digits, 4), stopped):
        kept.add(stage)
    with (tmp_path / "out.jsonl").open("a") as stream:
        stream.write('{"part": 1, "atta')
    done = kept.start(resume=True)
    assert done == whole[:stopped]
    for stage in missing_stages(attacker, digits, 4, done):
        kept.add(stage)
    assert read_stages(tmp_path / "out.jsonl")[1] == whole


def test_an_evaluation_goes_on_with_its_own_images_and_settings_only(
    digits: Dataset, attacker: AutoAttacker, whole: list[Stage], tmp_path: Path
) -> None:
    """Other pixels, another header, a file that is there, and a file of something else are refused."""
    other = replace(digits, images=255 - digits.images)
    with pytest.raises(Conflict, match="not what it was"):
        list(missing_stages(attacker, other, 4, whole[:2]))
    path = tmp_path / "out.jsonl"
    StageFile(path, {"seed": 1}).start(resume=False)
    with pytest.raises(Conflict, match="--resume"):
        StageFile(path, {"seed": 1}).start(resume=False)
    with pytest.raises(Conflict, match="another"):
        StageFile(path, {"seed": 2}).start(resume=True)
    path.write_text('{"format": "else"}\n')
    with pytest.raises(UnreadableInput, match="autoattack"):
        read_stages(path)
    with pytest.raises(InvalidParameter, match="label"):
        list(missing_stages(attacker, replace(digits, labels=None), 4))


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""

    def absent(name: str) -> NoReturn:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    with pytest.raises(Unavailable, match=r"certd\[autoattack\]"):
        AutoAttacker(_linear()[0], SHORT)


def test_what_cannot_be_attacked_is_refused() -> None:
    """Settings outside their domain, too few classes, images of another shape, logits that are no numbers."""
    for wrong in ({"eps": 0.0}, {"norm": "l1"}, {"preset": "best"}, {"batch_size": 0}, {"queries": 0}):
        with pytest.raises(InvalidParameter):
            AutoAttackSettings(**wrong)
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(PIXELS, 2))
    with pytest.raises(InvalidParameter, match="compare 4 classes"):
        AutoAttacker(BaseClassifier.from_module(flat, "two", SHAPE, 2), SHORT)
    linear, _ = _linear()
    small = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, CLASSES))
    with pytest.raises(InvalidParameter, match="5 pixels a side"):
        AutoAttacker(BaseClassifier.from_module(small, "s", (1, 4, 4), CLASSES), replace(SHORT, norm="l2"))
    with pytest.raises(ShapeMismatch, match="takes images"):
        AutoAttacker(linear, SHORT).right(np.zeros((1, 1, 8, 8), np.float32), np.zeros(1, np.int64))
    with torch.no_grad():
        linear.module[1].bias.fill_(torch.nan)  # type: ignore[index]  # a Sequential
    with pytest.raises(ModelError, match="no numbers"):
        AutoAttacker(linear, SHORT).right(_grey(1), np.zeros(1, np.int64))


def _evaluation(**settings: object) -> RobustAccuracy:
    """Return an evaluation of 10,000 images, of which 9,523 are right and 6,806 stand."""
    made = {
        "model": "net@sha256:00", "dataset": "cifar10", "images": 10_000, "attacks": ["apgd-ce"],
        "package": "pyautoattack 0.2.0",
        "settings": {
            "norm": "linf", "eps": 8 / 255, "preset": "standard", "batch_size": 10_000,
            "iterations": None, "queries": None, **settings,
        },
    }  # fmt: skip
    stages = (
        Stage(0, CLEAN, 10_000, tuple(range(477)), "", ()),
        Stage(0, "apgd-ce", 9_523, tuple(range(477, 3_194)), "", ("zero gradient", "zero gradient")),
    )
    return RobustAccuracy(made, stages)


def test_an_evaluation_is_held_against_a_claim() -> None:
    """Its entry is read back unchanged, and 95.03 and 67.97 are flagged against 95.23 and 68.06."""
    entry = read_model_info(write_model_info(as_model_info(_evaluation())))
    assert entry == as_model_info(_evaluation())
    assert str(entry.threat) == "Linf, eps 8/255"
    claim = replace(entry, clean_accuracy=Decimal("95.03"), robust_accuracy=Decimal("67.97"))
    assert [(each.claimed, each.evaluated) for each in differences(claim, entry)] == [
        ("95.03", "95.23"), ("67.97", "68.06"),
    ]  # fmt: skip
    assert differences(entry, entry) == ()


def test_what_is_unfinished_or_shortened_becomes_no_entry() -> None:
    """It says so before its numbers, and is refused the name of AutoAttack."""
    evaluation = _evaluation()
    unfinished = RobustAccuracy(evaluation.made, evaluation.stages[:1])
    for report, word in ((unfinished, "may still fall"), (_evaluation(queries=9), "no AutoAttack")):
        assert word in report.warnings[0]
        with pytest.raises(InvalidParameter, match=word):
            as_model_info(report)
    assert evaluation.warnings == ["zero gradient"]


def test_the_table_says_what_each_attack_was_the_first_to_bring_down() -> None:
    """Rows add up, in the order of attacks."""
    assert standing_table(_evaluation()).rows == (
        ("clean", "477", "9,523", "95.23 %"),
        ("apgd-ce", "2,717", "6,806", "68.06 %"),
    )


def test_the_command_attacks_goes_on_and_prints_the_same(tmp_path: Path) -> None:
    """A second run without --resume is refused, one with it attacks nothing and prints the same numbers."""
    out = str(tmp_path / "out.jsonl")
    line = ["autoattack", "digits-cnn", "digits", "--out", out, "--eps", "0.1", "--limit", "6"]
    line += ["--batch", "4", "--iterations", "3", "--queries", "5", "--json"]
    first = CliRunner().invoke(app, line)
    assert first.exit_code == 0, first.output
    found = json.loads(first.stdout)
    assert found["complete"]
    assert found["images"] == 6
    assert found["robust_accuracy"] <= found["clean_accuracy"]
    assert found["made"]["package"] == f"pyautoattack {metadata.version('pyautoattack')}"
    assert isinstance(CliRunner().invoke(app, line).exception, Conflict)
    again = CliRunner().invoke(app, [*line, "--resume"])
    assert json.loads(again.stdout) == found
    refused = CliRunner().invoke(app, [*line, "--resume", "--model-info", str(tmp_path / "m.json")])
    assert isinstance(refused.exception, InvalidParameter)
    text = CliRunner().invoke(app, [*line[:-1], "--resume"]).stdout
    assert "AutoAttack standard, linf, eps = 0.1" in text
