"""An operator's own model and data set, registered in YAML, served by name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, skip_or_fail
from tests.integration.conftest import running

pytestmark = pytest.mark.integration

DATA = Path(os.environ.get("CERTD_TEST_DATA", CHECKOUT.parent / "shared" / "data")).resolve()
WEIGHTS = DATA / "weights" / "cifar_small_36px.pth"


def _certd(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "certd", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)


def test_a_registered_model_and_data_set_are_served_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Register, list, inspect; POST by name; the counts are those of the file on the command line."""
    if not WEIGHTS.exists():
        skip_or_fail(f"{DATA} holds no weights; set CERTD_TEST_DATA.")
    models, datasets = tmp_path / "models.yaml", tmp_path / "datasets.yaml"
    conventions = [
        "--preset=cifar10",
        "--architecture=convex-small",
        "--mean=.485,.456,.406",
        "--std=.225,.225,.225",
    ]
    registered = _certd("models", "register", "small", str(WEIGHTS), f"--registry={models}", *conventions)
    assert registered.returncode == 0, registered.stderr
    datasets.write_text(f"cifar10:\n  uri: npz:{DATA / 'cifar10_test.npz'}\n  description: the test set\n")
    monkeypatch.setenv("CERTD_MODELS", str(models))
    monkeypatch.setenv("CERTD_DATASETS", str(datasets))
    assert "convex-small" in _certd("models", "list").stdout
    inspected = _certd("models", "inspect", "small", f"npz:{DATA / 'cifar10_test.npz'}", "--sigma=.25")
    assert "accuracy, noisy      0.5" in inspected.stdout
    request = {"model": "small", "dataset": "cifar10", "limit": 3, "sigma": 0.25, "n": 1000, "seed": 8}
    with running(tmp_path / "service") as service:
        assert [model["name"] for model in service.client.models()] == ["digits-cnn", "small"]
        job = service.client.submit(request)
        ended = service.client.wait(job["id"], timeout_seconds=120)
        assert ended["status"] == "succeeded", ended["error"]
        rows = service.client.certificates(job["id"])
    run = tmp_path / "run.parquet"
    options = ["--sigma=.25", "--n=1000", "--seed=8", "--limit=3", f"--out={run}"]
    assert _certd("certify", "small", "cifar10", *options).returncode == 0
    assert len(rows) == 3
    verified = _certd("verify", str(run))
    assert verified.returncode == 0, verified.stdout + verified.stderr
