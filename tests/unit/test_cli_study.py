"""The study of the average certified radius: one command from two fresh networks to the page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from certd.cli import app
from certd.errors import Conflict

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

pytestmark = pytest.mark.slow

ASKED = (
    "study acr digits-cnn digits-train digits --sigma .25 --epochs 2 --batch 64 --lr .1 --draws 1 "
    "--discard-after 1 --discard-below .3 --attack-steps 1 --limit 256 --skip 24 --n 100"
)


def _study(out: Path, *more: str) -> Result:
    return CliRunner().invoke(app, [*ASKED.split(), *more, "--out", str(out)])


def test_one_command_trains_both_certifies_both_and_writes_the_page(tmp_path: Path) -> None:
    """Data and budget are equal and the recipe differs; given again, the command does nothing twice."""
    done = _study(tmp_path)
    assert done.exit_code == 0, done.output
    assert "training plain" in done.stderr
    assert "training easy-images" in done.stderr
    page, found = (tmp_path / "compare.html").read_text(), json.loads((tmp_path / "compare.json").read_text())
    assert found["runs"] == ["plain", "easy-images"]
    assert found["marks"] == [], "the two runs must be comparable"
    assert [row["run"] for row in found["pa_mass"]] == found["runs"]
    assert "the mass at small pA that they do not show" in page
    assert "less than 30% of 100 noisy copies" in page, "a stranger must learn what the two networks are"
    assert {file.name for file in (tmp_path / "figures").iterdir()} == {
        "label-shares.svg", "correct-share.svg", "certified-accuracy.svg",
    }  # fmt: skip
    weights = {name: (tmp_path / f"{name}.safetensors").read_bytes() for name in found["runs"]}
    assert len(set(weights.values())) == 2
    again = _study(tmp_path)
    assert again.exit_code == 0, again.output
    assert "training" not in again.stderr
    assert json.loads((tmp_path / "compare.json").read_text()) == found


def test_a_folder_keeps_one_study(tmp_path: Path) -> None:
    """Other options would mix two studies in one page; they are refused before anything is trained."""
    (tmp_path / "study.json").write_text("{}")
    refused = _study(tmp_path, "--seed", "1")
    assert isinstance(refused.exception, Conflict)
    assert not (tmp_path / "plain.safetensors").exists()
