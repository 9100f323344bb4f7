"""Whole test sets: killed and resumed, through a service, in the habits of the reference script."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from certd.datasets import open_dataset
from certd.reports.importers import import_cohen
from certd.smoothing import read_run
from tests.conftest import CHECKOUT
from tests.unit.test_packaging import BARE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Service

pytestmark = pytest.mark.integration

CERTD = [sys.executable, "-m", "certd"]
FIXED = ("--sigma=.25", "--plan=fixed", "--n=200", "--seed=4")


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CERTD, *arguments],
        cwd=CHECKOUT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def _rows(run: Path) -> list[dict[str, object]]:
    with run.open("rb") as stream:
        return [certificate.row() for certificate in read_run(stream).certificates]


@pytest.fixture(scope="module")
def two_thousand(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return an .npz of 2,000 images: digits, rolled about."""
    images = open_dataset("digits-train").images[:]
    rolled = np.concatenate([images, np.roll(images, 1, axis=3)])[:2000]
    file = tmp_path_factory.mktemp("set") / "two-thousand.npz"
    np.savez(file, images=rolled, labels=np.arange(2000) % 10)
    return f"npz:{file}"


def test_a_run_that_is_killed_outright_resumes_to_the_same_file(two_thousand: str, tmp_path: Path) -> None:
    """SIGKILL leaves no chance to tidy up; the file is valid all the same, and ends byte for byte equal."""
    killed, undisturbed = tmp_path / "killed.parquet", tmp_path / "undisturbed.parquet"
    command = ["certify", "digits-cnn", two_thousand, *FIXED]
    with subprocess.Popen(
        [*CERTD, *command, f"--out={killed}"],
        cwd=CHECKOUT,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as process:
        deadline = time.monotonic() + 300
        while not killed.exists():
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline
            signal.sigtimedwait([], 0.01)
        process.kill()
    assert 0 < len(_rows(killed)) < 2000
    assert _run(*command, f"--out={killed}", "--resume").returncode == 0
    assert _run(*command, f"--out={undisturbed}").returncode == 0
    assert killed.read_bytes() == undisturbed.read_bytes()


def test_a_run_is_not_resumed_with_other_images(tmp_path: Path) -> None:
    """Images of two selections in one file would be a run that nobody asked for."""
    run = tmp_path / "run.parquet"
    assert _run("certify", "digits-cnn", "digits", *FIXED, "--limit=2", f"--out={run}").returncode == 0
    refused = _run("certify", "digits-cnn", "digits", *FIXED, "--limit=3", f"--out={run}", "--resume")
    assert refused.returncode == 2
    assert "other images" in refused.stderr


@pytest.mark.parametrize("uploaded", [False, True], ids=["named", "uploaded"])
def test_a_service_certifies_what_this_process_does(
    service: Service, tmp_path: Path, *, uploaded: bool
) -> None:
    """--server gives the rows, the file and the output of a run without it, for named and uploaded images."""
    dataset = "digits"
    if uploaded:
        digits = open_dataset("digits")
        np.savez(tmp_path / "mine.npz", images=digits.images[:], labels=np.asarray(digits.labels))
        dataset = f"npz:{tmp_path / 'mine.npz'}"
    here, there = tmp_path / "here.parquet", tmp_path / "there.parquet"
    command = ["certify", "digits-cnn", dataset, *FIXED, "--skip=60", "--json"]
    local = _run(*command, f"--out={here}")
    remote = _run(*command, f"--out={there}", f"--server={service.url}")
    assert remote.returncode == local.returncode == 0, remote.stderr
    assert _rows(there) == _rows(here)
    assert json.loads(remote.stdout)["certificates"] == json.loads(local.stdout)["certificates"]


def test_a_server_that_is_not_there_is_exit_code_4() -> None:
    """Scripts tell a refusal from a server that is down."""
    done = _run("certify", "digits-cnn", "digits", *FIXED, "--server=http://127.0.0.1:9")
    assert done.returncode == 4
    assert "cannot be reached" in done.stderr


def test_a_service_refuses_what_it_decides_itself(service: Service) -> None:
    """Options of this process are not silently dropped."""
    done = _run("certify", "digits-cnn", "digits", *FIXED, f"--server={service.url}", "--resume")
    assert done.returncode == 2
    assert "--resume" in done.stderr


def test_the_reference_script_s_arguments_make_its_file(tmp_path: Path) -> None:
    """Positionals, --max as an index, -1 for abstentions, radii rounded down; the import reads it back."""
    file, run = tmp_path / "log.tsv", tmp_path / "run.parquet"
    options = ("--skip=5", "--max=40", "--N0=10", "--N=100", "--batch=64", "--seed=3", f"--run={run}")
    done = _run("cohen-certify", "digits", "digits-cnn", "0.6", str(file), *options)
    assert done.returncode == 0, done.stderr
    log = import_cohen(file.read_text(), 0.6, budget=(100, 0.001))
    rows = _rows(run)
    assert log.image_ids.tolist() == list(range(0, 40, 5)) == [row["image_id"] for row in rows]
    assert [None if not ok else int(c) for ok, c in zip(log.certified, log.top_classes, strict=True)] == [
        row["prediction"] for row in rows
    ]
    assert all(printed <= row["radius"] for printed, row in zip(log.radii.tolist(), rows, strict=True))
    assert "\t-1\t" in file.read_text(), "some image abstains at this sigma"


def test_a_published_log_is_imported_and_reported(tmp_path: Path) -> None:
    """Its figures come out of ``certd report --json``, and no guarantee is claimed for it."""
    log, run = tmp_path / "log.tsv", tmp_path / "run.parquet"
    header = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
    log.write_text(header + "0\t3\t3\t0.953\t1\t0:00:15.1\n20\t4\t5\t0.5\t1\t15.4\n")
    assert _run("import", str(log), "--sigma=.25", f"--out={run}", "--dataset=cifar10").returncode == 0
    report = json.loads(_run("report", str(run), "--json").stdout)
    assert report["average_certified_radius"]["value"] == pytest.approx(0.4765)
    assert report["imported"]["counts_recovered_from_radii"] is True
    assert report["guarantees"] == []
    refused = _run("import", str(log), "--sigma=.25", "--n=10000", "--alpha=.001", f"--out={run}")
    assert refused.returncode == 2
    assert "0.7996" in refused.stderr


MAIN = "from certd.cli import main; main()"


def test_reading_results_needs_no_torch(tmp_path: Path) -> None:
    """import, report, export, recompute and datasets work where torch cannot be imported."""
    run = tmp_path / "run.parquet"
    assert _run("certify", "digits-cnn", "digits", *FIXED, "--limit=3", f"--out={run}").returncode == 0
    for arguments in (
        ["report", str(run)],
        ["report", str(run), "--html", str(tmp_path / "page.html")],
        ["report", str(run), "--bibtex"],
        ["export", str(run), "--format", "cohen"],
        ["recompute", str(run), "--alpha", "0.01"],
        ["datasets", "list"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", BARE + MAIN, *arguments],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (arguments, done.stderr)
        assert done.stdout
