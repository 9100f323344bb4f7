"""The package: what the wheel holds, and what an import costs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import api
import workers

pytestmark = pytest.mark.slow

WITHOUT_TORCH = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "numba"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
"""
CHECKOUT = Path(__file__).resolve().parents[2]


def test_the_wheel_holds_certd_alone(tmp_path: Path) -> None:
    """Top level of the wheel is certd and its metadata; no generic `api` overwrites somebody else's."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"certd"}
    assert "certd/models/builtin/digits-cnn.safetensors" in names
    assert "certd/py.typed" in names


def test_api_and_workers_run_from_the_checkout() -> None:
    """The applications are those beside the tests, not installed copies."""
    for package in (api, workers):
        assert Path(str(package.__file__)).is_relative_to(CHECKOUT)


def test_client_and_reports_import_without_torch() -> None:
    """Reading results costs no torch: the modules import where it is made to fail."""
    code = WITHOUT_TORCH + (
        "import certd, certd.client, certd.reports, certd.smoothing, certd.models, certd.datasets\n"
        "import certd.noise, certd.cli"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=CHECKOUT)
