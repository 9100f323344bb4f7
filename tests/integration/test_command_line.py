"""The command line as a researcher uses it: whole sets, interruptions, files of his own, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import CHECKOUT, skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.integration

CERTD = [sys.executable, "-m", "certd"]
DATA = Path(os.environ.get("CERTD_TEST_DATA", CHECKOUT.parent / "shared" / "data"))


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*CERTD, *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=False)


def _rows(run: Path) -> list[dict[str, object]]:
    from certd.smoothing import read_run  # noqa: PLC0415

    with run.open("rb") as stream:
        return [certificate.row() for certificate in read_run(stream).certificates]


def _interrupt(arguments: Sequence[str], run: Path) -> subprocess.Popen[str]:
    """Start a run and send it Ctrl-C as soon as a first part is saved."""
    process = subprocess.Popen([*CERTD, *arguments], cwd=CHECKOUT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while not run.exists():
        assert process.poll() is None, "the run ended before it could be interrupted"
        assert time.monotonic() < deadline
        signal.sigtimedwait([], 0.05)
    process.send_signal(signal.SIGINT)
    return process


def test_an_interrupted_run_resumes_to_the_last_bit(tmp_path: Path) -> None:
    """Ctrl-C leaves a valid partial file and exit code 130; --resume ends as an undisturbed run does."""
    options = ["certify", "digits-cnn", "digits", "--sigma=.25", "--plan=fixed", "--n=3000", "--seed=4"]
    options.append("--limit=180")
    run, undisturbed = tmp_path / "run.parquet", tmp_path / "undisturbed.parquet"
    process = _interrupt([*options, f"--out={run}"], run)
    _, said = process.communicate(timeout=180)
    assert process.returncode == 130
    assert "--resume" in said
    partial = _rows(run)
    assert 0 < len(partial) < 180
    refused = _run(*options, f"--out={run}")
    assert refused.returncode == 1
    assert "--resume" in refused.stderr
    assert _run(*options, f"--out={run}", "--resume").returncode == 0
    assert _run(*options, f"--out={undisturbed}").returncode == 0
    assert _rows(run)[: len(partial)] == partial
    assert _rows(run) == _rows(undisturbed)


def test_a_run_is_not_resumed_with_other_options(tmp_path: Path) -> None:
    """A file made at sigma .25 is not gone on with at sigma .5."""
    run = tmp_path / "run.parquet"
    options = ["certify", "digits-cnn", "digits", "--limit=2", "--plan=fixed", "--n=100", f"--out={run}"]
    assert _run(*options, "--sigma=.25").returncode == 0
    refused = _run(*options, "--sigma=.5", "--resume")
    assert refused.returncode == 2
    assert "another certification" in refused.stderr


def test_a_checkpoint_and_a_test_set_of_ones_own_are_certified_in_one_command() -> None:
    """A published CIFAR-10 checkpoint and an .npz need no code: some images are certified at r = .25."""
    if not (DATA / "weights" / "cifar_small_36px.pth").exists():
        skip_or_fail(f"{DATA} holds no weights; set CERTD_TEST_DATA.")
    done = _run(
        "certify",
        str(DATA / "weights" / "cifar_small_36px.pth"),
        f"npz:{DATA / 'cifar10_test.npz'}",
        "--preset=cifar10",
        "--architecture=convex-small",
        "--mean=.485,.456,.406",
        "--std=.225,.225,.225",
        "--sigma=.25",
        "--n=1000",
        "--skip=200",
        "--seed=1",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    curve = {p["radius"]: p for p in json.loads(done.stdout)["report"]["certified_accuracy"]}
    assert 0.4 < curve[0.25]["certified_accuracy"] < 0.6


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["certify", "digits-cnn", "digits", "--sigma=-1"], 2, "sigma"),
        (["certify", "nope", "digits", "--sigma=1"], 2, "digits-cnn"),
        (["certify", "digits-cnn", "nope", "--sigma=1"], 2, "digits"),
        (["certify", "digits-cnn", "digits", "--sigma=.25", "--plan=fixed", "--n=5"], 2, "at least 10"),
        (["certify", "digits-cnn", "digits", "--sigma=.25", "--radii=x"], 2, "--radii"),
        (["report", "missing.parquet"], 2, "no file"),
        (["verify", "README.md"], 2, "not a Parquet file"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(arguments: list[str], code: int, said: str) -> None:
    """What is wrong and what to do, on standard error, without a traceback."""
    done = _run(*arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
