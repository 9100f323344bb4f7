"""Claims: read as they were printed, written so that they are read unchanged, differences named."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from certd.cli.claims import app
from certd.errors import UnreadableInput
from certd.reports.claims import (
    Claim,
    ClaimedModel,
    Threat,
    differences,
    read_form,
    read_model_info,
    write_form,
    write_model_info,
)

if TYPE_CHECKING:
    from pathlib import Path

ADAPTIVE_SMOOTHING = """
# Paper Information

- **Paper Title**: Improving the Accuracy-Robustness Trade-off of Classifiers via Adaptive Smoothing.
- **Paper URL**: https://arxiv.org/abs/2301.12554
- **Paper Authors**: Yatong Bai, Brendon G Anderson, Aerin Kim, Somayeh Sojoudi.

# Leaderboard Claim(s)

## Model 1

- **Architecture**: ResNet-152 + WideResNet-70-16 + mixing network
- **Dataset**: CIFAR-100
- **Threat Model**: Linf
- **eps**: 8 / 255
- **Clean accuracy**: 85.21 %
- **Robust accuracy**: 38.72 %
- **Additional data**: True (the standard classifier;
the robust one takes synthetic images)
- **Evaluation method**: AutoAttack
- **Checkpoint and code**: [here](https://github.com/Bai-YT/AdaptiveSmoothing).

## Model 2

- **Architecture**: ResNet-152 + WideResNet-70-16 + mixing network
- **Dataset**: CIFAR-100
- **Threat Model**: Linf
- **eps**: 8/255
- **Clean accuracy**: 80.18
- **Robust accuracy**: 35.15

## Model 3

- **Architecture**: ResNet-152 + WideResNet-70-16 + mixing network
- **Dataset**: CIFAR-10
- **Threat Model**: Linf
- **eps**: 0.03137254901960784
- **Clean accuracy**: 95.03 %
- **Robust accuracy**: 67.97 %
- **Additional data**: false

# Model Zoo:

- [x] I want to add my models to the Model Zoo
"""


def test_the_claim_of_adaptive_smoothing_is_read() -> None:
    """Three models, Linf at 8/255 however it is written, accuracies with their digits."""
    claim = read_form(ADAPTIVE_SMOOTHING)
    assert claim.authors.startswith("Yatong Bai")
    accuracies = [(str(each.clean_accuracy), str(each.robust_accuracy)) for each in claim.models]
    assert accuracies == [("85.21", "38.72"), ("80.18", "35.15"), ("95.03", "67.97")]
    assert {each.threat for each in claim.models} == {Threat("Linf", Fraction(8, 255))}
    assert [each.additional_data for each in claim.models] == [True, None, False]
    assert claim.models[0].remark == "(the standard classifier; the robust one takes synthetic images)"


def test_it_is_written_and_read_unchanged() -> None:
    """As a form, and each model as JSON."""
    claim = read_form(ADAPTIVE_SMOOTHING)
    assert read_form(write_form(claim)) == claim
    for model in claim.models:
        assert read_model_info(write_model_info(model)) == model


@pytest.mark.parametrize("attack", ["PGD-20", "", "AutoAttack, adaptive"])
def test_what_another_attack_left_is_no_autoattack_accuracy(attack: str) -> None:
    """It has a member of its own, beside what measured it, and is read back as it was."""
    model = replace(read_form(ADAPTIVE_SMOOTHING).models[0], evaluation=attack)
    entry = json.loads(write_model_info(model))
    assert (entry["autoattack_acc"], entry["robust_acc"]) == (None, "38.72")
    assert read_model_info(write_model_info(model)) == model
    with pytest.raises(UnreadableInput, match="of autoattack_acc and robust_acc"):
        read_model_info(json.dumps({**entry, "autoattack_acc": "38.72"}))


@pytest.mark.parametrize("attack", ["AutoAttack", "Auto-Attack", "autoattack (standard)"])
def test_autoattack_is_known_however_it_is_written(attack: str) -> None:
    """Its accuracy is the one that the leaderboard ranks by."""
    model = replace(read_form(ADAPTIVE_SMOOTHING).models[0], evaluation=attack)
    assert json.loads(write_model_info(model))["autoattack_acc"] == "38.72"
    assert read_model_info(write_model_info(model)) == model
    assert differences(model, replace(model, evaluation="AutoAttack")) == ()


def test_another_attack_is_flagged() -> None:
    """What PGD leaves standing is not what AutoAttack does."""
    claimed = read_form(ADAPTIVE_SMOOTHING).models[0]
    (found,) = differences(replace(claimed, evaluation="PGD-20"), claimed)
    assert (found.member, found.claimed, found.evaluated) == ("evaluation", "PGD-20", "AutoAttack")


def test_members_of_an_entry_survive_a_form() -> None:
    """Their names may hold underscores; none of them replaces a member that is known."""
    text = '{"architecture": "x", "threat_model": "L2", "link": "u", "autoattack_version": "standard"}'
    claim = Claim("t", "u", "a", (read_model_info(text),))
    assert read_form(write_form(claim)) == claim
    sly = replace(claim.models[0], others=(("autoattack_acc", "99"),))
    assert json.loads(write_model_info(sly))["autoattack_acc"] is None


def test_what_the_leaderboard_shows_now_is_flagged() -> None:
    """95.03 is not 95.23, nor 67.97 68.06; the radius in decimals is no difference."""
    claimed = read_form(ADAPTIVE_SMOOTHING).models[2]
    shown = read_model_info(
        json.dumps(
            {
                "dataset": "cifar10",
                "threat_model": "Linf",
                "eps": "8/255",
                "clean_acc": "95.23",
                "autoattack_acc": "68.06",
                "additional_data": True,
            }
        )
    )
    found = differences(claimed, shown)
    assert [(each.member, each.claimed, each.evaluated) for each in found] == [
        ("additional data", "false", "true"),
        ("clean accuracy", "95.03", "95.23"),
        ("robust accuracy", "67.97", "68.06"),
    ]
    assert found[1].note == "+0.20 points"
    assert differences(claimed, claimed) == ()


def test_another_threat_is_flagged() -> None:
    """An accuracy against L2 is none against Linf."""
    claimed = read_form(ADAPTIVE_SMOOTHING).models[0]
    other = replace(claimed, threat=Threat("L2", Fraction(1, 2)))
    assert [each.member for each in differences(claimed, other)] == ["threat"]


def test_a_share_and_a_percentage_are_one_number() -> None:
    """Entries print either: text is per cent, a number up to one is a share."""
    for clean, expected in (
        ("95.03", "95.03"),
        (0.9503, "95.03"),
        (95.03, "95.03"),
        ("0.50", "0.50"),
        (1, "100"),
    ):
        assert str(read_model_info(json.dumps({"clean_acc": clean})).clean_accuracy) == expected


def test_certified_accuracy_has_a_field_of_its_own() -> None:
    """It is never read as an attack's, and survives both forms."""
    text = json.dumps(
        {"architecture": "x", "threat_model": "L2", "eps": "0.5", "certified_acc": {"0.5": "42.60"}}
    )
    entry = read_model_info(text)
    assert entry.robust_accuracy is None
    assert entry.certified == (("0.5", "42.60"),)
    assert json.loads(write_model_info(entry))["autoattack_acc"] is None
    claim = Claim("t", "u", "a", (entry,))
    assert read_form(write_form(claim)) == claim


def test_more_certified_than_any_attack_left_is_flagged() -> None:
    """What is proved cannot be broken, so these are not of one classifier."""
    claimed = replace(read_form(ADAPTIVE_SMOOTHING).models[0], robust_accuracy=Decimal("38.72"))
    evaluated = replace(claimed, certified=(("8/255", "40.00"),))
    assert "no attack" in differences(claimed, evaluated)[0].note
    assert differences(claimed, replace(claimed, certified=(("8/255", "38.72"), ("1/255", "80.00")))) == ()


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (("85.21 %", "about 85"), "Model 1, clean accuracy"),
        (("85.21 %", "185.21"), "Model 1, clean accuracy"),
        (("8 / 255", "8 / 0"), "Model 1, eps"),
        (
            ("- **Threat Model**: Linf\n- **eps**: 8/255", ""),
            "Model 2 of this claim does not say its threat model",
        ),
        (("## Model", "## Thing"), "claims nothing"),
        (
            ("- **eps**: 8 / 255", "- **Certified accuracy at 0.5**: n/a"),
            "Model 1, certified accuracy at 0.5",
        ),
        (("- **eps**: 8 / 255", "- **Certified accuracy at r**: 40"), "Model 1, certified accuracy at r"),
    ],
)
def test_a_spoilt_form_says_where(spoilt: tuple[str, str], said: str) -> None:
    """The message names the model and the member."""
    with pytest.raises(UnreadableInput, match=said):
        read_form(ADAPTIVE_SMOOTHING.replace(*spoilt))


@pytest.mark.parametrize(
    "text",
    [
        "[]", "{", '{"clean_acc": []}', '{"clean_acc": NaN}', '{"clean_acc": 1e-999999999}',
        '{"eps": 1e999999999}', '{"certified_acc": 3}', '{"certified_acc": {"0.5": 42}}',
        "[" * 100_000, '{"eps": "1/3/5"}',
        '{"certified_acc": {"0.5": ""}}', '{"certified_acc": {"": "42.60"}}',
    ],
)  # fmt: skip
def test_a_spoilt_entry_is_refused(text: str) -> None:
    """Each is one sentence, whatever was sent."""
    with pytest.raises(UnreadableInput):
        read_model_info(text)


@given(st.text(alphabet="# *-:Model1eps/%.0 \n", max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No form ends in another error."""
    try:
        claim = read_form(text)
    except UnreadableInput:
        return
    assert read_form(write_form(claim)) == claim


@given(st.fractions(min_value=Fraction(1, 1000), max_value=2, max_denominator=1000))
def test_any_radius_is_read_back(eps: Fraction) -> None:
    """Over 255, as a decimal or as a fraction."""
    model = ClaimedModel("x", None, Threat("L2", eps), None, None)
    assert read_model_info(write_model_info(model)).threat.is_like(model.threat)


def test_the_command_line_flags_and_converts(tmp_path: Path) -> None:
    """Exit 1 where something differs; a model is named by its number."""
    form, entry = tmp_path / "claim.md", tmp_path / "entry.json"
    form.write_text(ADAPTIVE_SMOOTHING)
    entry.write_text('{"dataset": "CIFAR-10", "threat_model": "Linf", "eps": "8/255", "clean_acc": "95.23"}')
    flagged = CliRunner().invoke(app, ["compare", str(form), str(entry), "--model", "3"])
    assert (flagged.exit_code, flagged.stdout) == (
        1, "clean accuracy: claimed 95.03, evaluated 95.23 (+0.20 points)\n"
    )  # fmt: skip
    converted = CliRunner().invoke(app, ["convert", str(form), "--format", "json", "--model", "3"])
    assert json.loads(converted.stdout)["clean_acc"] == "95.03"
