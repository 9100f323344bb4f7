"""The documents: no link leads nowhere, and the examples of reports are whole."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.command_lines import certd_lines, complaint

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for path in CHECKOUT.rglob("*.md")
    if not any(part.startswith(".") for part in path.relative_to(CHECKOUT).parts)
)
EXAMPLES = ("cifar10-small", "mnist-lenet")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    """Files that are linked exist; links to elsewhere are not followed here."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:|#", target):
            assert (page.parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_command_exists_with_the_options_that_are_shown(page: Path) -> None:
    """Each line of a program that begins with `certd` names a command, and options which that command has."""
    programs = [text for _, text in FENCED.findall(page.read_text())]
    complaints = [complaint(line) for text in programs for line in certd_lines(text)]
    assert not [found for found in complaints if found]


@pytest.mark.parametrize(
    "line", ["certfy digits-cnn", "models registr NAME FILE", "check run.parquet --least 3"]
)
def test_a_command_that_does_not_exist_is_noticed(line: str) -> None:
    """The check above fails on a misspelt command, a misspelt command of a group, and a misspelt option."""
    assert complaint(line) is not None


def test_the_guarantee_names_tests_that_exist() -> None:
    """Every test that the page names is defined, and no section of a plan goes without one."""
    page = (CHECKOUT / "docs" / "guarantee.md").read_text()
    defined = {
        name
        for path in (CHECKOUT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) > 50
    assert named <= defined, named - defined
    untested = {"What is assumed", "The plans"}
    for section in re.split(r"^##+ ", page, flags=re.MULTILINE)[1:]:
        title = section.partition("\n")[0]
        assert title in untested or "`test_" in section, title


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_are_reports_of_real_runs(name: str) -> None:
    """Five hundred images each, a page that loads nothing, no path of the machine that made it."""
    folder = CHECKOUT / "docs" / "examples" / name
    report = json.loads((folder / "report.json").read_text())
    assert report["images"] == {"requested": 500, "finished": 500}
    assert not report["manifest"]["dataset"].startswith(("npz:", "/"))
    page = (folder / "report.html").read_text()
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", page)
    assert len(list((folder / "figures").glob("*.svg"))) == 10


def test_the_example_of_a_mixture_is_of_a_real_run() -> None:
    """Five hundred images, which product it is, a page that loads nothing, and a warning about choosing."""
    folder = CHECKOUT / "docs" / "examples" / "cifar10-mixture"
    sweep = json.loads((folder / "weights.json").read_text())
    assert sweep["images"] == 500
    assert sweep["mixture"]["product"] == "smooth-then-mix"
    page = (folder / "weights.html").read_text()
    assert "Do not choose here" in page
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", page)
    assert len(list((folder / "figures").glob("*.svg"))) == 7


def test_the_costs_of_test_sets_are_what_the_formula_gives() -> None:
    """Hours are images times draws over speed, and each speed stands in the table of draws above it."""
    page = (CHECKOUT / "docs" / "capacity.md").read_text()
    rows = re.findall(
        r"^\|[^|]+\| ([\d,]+) \| ([\d,]+) \|[^|]+\| ([\d,]+) \| ([\d,.]+) \|$", page, re.MULTILINE
    )
    assert len(rows) == 7
    for row in rows:
        images, draws, speed, hours = (float(cell.replace(",", "")) for cell in row)
        assert hours == pytest.approx(images * draws / speed / 3600, abs=0.05)
        assert f"| {row[2]} |" in page.partition("## What a test set costs")[0]


def test_the_page_on_capacity_takes_its_speeds_from_the_benchmarks() -> None:
    """Every speed in the table of draws, and every measured row of the queue, stands there."""
    page = (CHECKOUT / "docs" / "capacity.md").read_text()
    table = page.partition("## What a test set costs")[0].partition("|---|")[2]
    measured = [*re.findall(r"(?<=\| )[\d,]+(?= \|)", table), "16,555", "9,051", "889", "532"]
    benchmarks = (CHECKOUT / "benchmarks" / "README.md").read_text()
    assert len(measured) > 12
    assert [figure for figure in measured if not re.search(rf"\b{figure}\b", benchmarks)] == []
