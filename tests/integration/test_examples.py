"""The examples: each is run as a user would run it."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.testing import CliRunner

from certd.cli import app
from tests.command_lines import certd_lines, complaint
from tests.conftest import CHECKOUT, skip_or_fail

if TYPE_CHECKING:
    from tests.integration.conftest import Service

pytestmark = pytest.mark.integration

EXAMPLES = CHECKOUT / "examples"
NOTEBOOK = EXAMPLES / "first_certificate.ipynb"


def _run(folder: Path, *command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the examples in a folder of its own, with `certd` of this environment on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(CHECKOUT), **variables}
    return subprocess.run(
        [*map(str, command)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def _program(monkeypatch: pytest.MonkeyPatch, name: str, *arguments: str) -> str:
    """Run a Python program in this process, where torch is imported already; return what it prints."""
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    printed = io.StringIO()
    with redirect_stdout(printed):
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return printed.getvalue()


def test_twelve_lines_certify_and_print_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty rows, four shares and an average with its budget, from at most twelve lines of code."""
    _, *code = ast.parse((EXAMPLES / "twelve_lines.py").read_text()).body
    assert sum(len(ast.unparse(statement).splitlines()) for statement in code) <= 12
    printed = _program(monkeypatch, "twelve_lines.py")
    assert len(re.findall(r"^ +\d+ +(?:\d|abstain)  \d\.\d\d$", printed, re.MULTILINE)) == 20
    assert "certified accuracy at 0.5   0.8" in printed
    assert "at sigma = 0.25, n = 10,000, alpha = 0.001" in printed


def test_a_network_of_ones_own_is_certified_written_and_registered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module is certified as it is; its graph, registered, is certified by name to the same share."""
    monkeypatch.chdir(tmp_path)
    printed = _program(monkeypatch, "own_network.py", "--onnx", "nearest.onnx")
    assert "certified accuracy at 0, .25, .5: [0.88, 0.78, 0.56]" in printed
    invoke = CliRunner().invoke
    sizes = ["--input-shape=1,8,8", "--classes=10", "--mean=0", "--std=1", "--registry=models.yaml"]
    done = invoke(app, ["models", "register", "nearest-mean", "onnx:nearest.onnx", *sizes])
    assert done.exit_code == 0, done.output
    monkeypatch.setenv("CERTD_MODELS", "models.yaml")
    asked = ["nearest-mean", "digits", "--sigma=.25", "--n=10000", "--seed=1", "--limit=50", "--json"]
    done = invoke(app, ["certify", *asked], catch_exceptions=False)
    curve = json.loads(done.stdout)["report"]["certified_accuracy"]
    assert {point["radius"]: point["certified_accuracy"] for point in curve}[0.25] == 0.78


def test_the_javascript_client_follows_a_job_and_prints_its_radii(service: Service, tmp_path: Path) -> None:
    """Progress on standard error, told by the service; one line an image on standard output."""
    node = shutil.which("node")
    if node is None:
        skip_or_fail("node is not installed; Debian's package nodejs has it")
    done = _run(tmp_path, str(node), EXAMPLES / "client.mjs", "7", SERVICE_URL=service.url)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "succeeded: 7 of 7 images"
    assert len(re.findall(r"^\d: (?:abstained|\d within [\d.]+)$", done.stdout, re.MULTILINE)) == 7
    refused = _run(tmp_path, str(node), EXAMPLES / "client.mjs", "-1", SERVICE_URL=service.url)
    assert refused.returncode != 0
    assert "422 " in refused.stderr


def test_the_gate_stops_what_is_not_proved(tmp_path: Path) -> None:
    """Exit code 1 where one of two conditions fails; what lets through is run with docs/how-to/ci-gate.md."""
    conditions = ["acc@0.25>=0.80", "acc@0.5>=0.999"]
    done = _run(tmp_path, "bash", EXAMPLES / "ci_gate.sh", *conditions, IMAGES="10", RUN="run.parquet")
    assert done.returncode == 1, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["ok", "FAILED", "ok"]
    assert (tmp_path / "run.parquet").exists()


def test_a_gate_that_cannot_judge_is_no_failed_gate(tmp_path: Path) -> None:
    """Exit code 2 where nothing was certified: a model that does not exist."""
    done = _run(tmp_path, "bash", EXAMPLES / "ci_gate.sh", MODEL="no-such-model")
    assert done.returncode == 2, done.stdout


def test_the_notebook_prints_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells, run in order, print what is stored under them; the last values are made of the same run."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    for cell in cells:
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(compile("".join(cell["source"]), NOTEBOOK.name, "exec"), names)  # noqa: S102 - it is ours
        shown = ["".join(output["text"]) for output in cell["outputs"] if output["output_type"] == "stream"]
        assert printed.getvalue() == "".join(shown)
    assert len(cells) == 6
    assert all(cell["outputs"] for cell in cells)
    assert (tmp_path / "pa.svg").read_text().startswith("<svg")


def test_the_workflow_is_well_formed_and_its_commands_exist() -> None:
    """Steps either use an action or run commands; every certd command in it has those options."""
    workflow = yaml.safe_load((EXAMPLES / "github" / "certify.yml").read_text())
    steps = workflow["jobs"]["gate"]["steps"]
    assert all(("uses" in step) != ("run" in step) for step in steps)
    lines = [line for step in steps for line in certd_lines(step.get("run", ""))]
    assert [line.split()[0] for line in lines] == ["certify", "check", "report"]
    assert [complaint(line) for line in lines] == [None, None, None]
