"""Tutorials and how-tos: every program is typed as it stands, and prints what the page shows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import CHECKOUT, skip_or_fail
from tests.transcripts import Block, blocks, program, unlike

if TYPE_CHECKING:
    from tests.integration.conftest import Service

pytestmark = pytest.mark.integration

BASH = shutil.which("bash") or "bash"
DOCS = CHECKOUT / "docs"
PAGES = sorted([*DOCS.glob("tutorials/*.md"), *DOCS.glob("how-to/*.md")])


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(block.runs for block in blocks(page))],
    ids=lambda page: page.stem,
)
def test_a_page_prints_what_it_shows(service: Service, tmp_path: Path, page: Path) -> None:
    """All its programs, one after another in one shell, against a running service where they ask for one."""
    if shutil.which("node") is None and any(block.kind == "js" for block in blocks(page)):
        skip_or_fail("node is not installed; Debian's package nodejs has it")
    _lay_out(tmp_path)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"SERVICE_URL": service.url, "PATH": path, "PYTHONPATH": str(CHECKOUT), "COLUMNS": "100"}
    done = subprocess.run(
        [BASH, "-c", program(blocks(page))],
        cwd=tmp_path,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert unlike(blocks(page), done.stdout) == [], done.stdout


def _lay_out(folder: Path) -> None:
    """Give a page the examples of the checkout, in a folder of its own."""
    (folder / "examples").symlink_to(CHECKOUT / "examples")


def test_a_page_that_shows_something_else_is_noticed() -> None:
    """What was not printed is named; what was, with lines left out between, is not."""
    page = [Block("sh", "seq 5", None), Block("text", "1\n2\n...\n5\n", None), Block("text", "6\n", None)]
    printed = subprocess.run([BASH, "-c", program(page)], capture_output=True, text=True, check=True).stdout
    assert unlike(page, printed) == ["6"]
