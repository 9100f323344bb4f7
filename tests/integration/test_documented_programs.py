"""The programs in the documents: each is run as it stands, against a running service."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from certd.datasets import load_dataset
from tests.conftest import skip_or_fail

if TYPE_CHECKING:
    from tests.integration.conftest import Service

pytestmark = pytest.mark.integration

REST = Path(__file__).resolve().parents[2] / "docs" / "rest.md"
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _blocks(language: str) -> list[str]:
    """Return the programs of one language, in the order of the page."""
    found = [text for name, text in FENCED.findall(REST.read_text()) if name == language]
    assert found
    return found


def _run(service: Service, folder: Path, *command: str) -> str:
    for label in (3, 7):
        digits = load_dataset("digits")
        assert digits.labels is not None
        image = digits.images[digits.labels.tolist().index(label), 0]
        Image.fromarray(image).save(folder / f"{label}.png")
    environment = {**os.environ, "SERVICE_URL": service.url}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        skip_or_fail(f"{name} is not installed; Debian's package of that name has it")
    assert path is not None
    return path


def test_the_shell_commands_do_what_the_page_says(service: Service, tmp_path: Path) -> None:
    """Typed one after another, all succeed, and the answers are those described."""
    _program("curl")
    script = "\n".join(["set -euo pipefail", *_blocks("sh")])
    printed = _run(service, tmp_path, "bash", "-c", script)
    assert '"draws_at_most":' in printed
    assert '"pointer":"/sigma"' in printed
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    assert '"certificates":' in (tmp_path / "job.json").read_text()


def test_the_python_program_prints_radii(service: Service, tmp_path: Path) -> None:
    """Progress first, then twenty radii."""
    (program,) = _blocks("python")
    lines = _run(service, tmp_path, sys.executable, "-c", program).splitlines()
    assert lines[-2] == "succeeded 20"
    assert lines[-1].count(",") == 19


def test_the_javascript_program_prints_radii(service: Service, tmp_path: Path) -> None:
    """The same twenty images, with nothing but fetch."""
    (program,) = _blocks("js")
    (tmp_path / "program.mjs").write_text(program)
    printed = _run(service, tmp_path, _program("node"), "program.mjs")
    assert len(re.findall(r"\d+(?:\.\d+)?", printed.split("...")[0])) >= 20
