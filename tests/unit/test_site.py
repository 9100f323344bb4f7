"""The documentation as a site: built from what lies here, whole, and loading nothing from elsewhere."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from api.reference import description, reference
from tests.conftest import CHECKOUT, skip_or_fail
from tests.transcripts import RUN, SHOWN, blocks

if TYPE_CHECKING:
    from pathlib import Path

DOCS = CHECKOUT / "docs"
READERS = ["Start", "Tutorials", "How to", "Reference", "Explanation"]
TYPED = sorted([*DOCS.glob("tutorials/*.md"), *DOCS.glob("how-to/*.md")])


class Page(HTMLParser):
    """What a page loads by itself, what it links to, and the places in it that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one element."""
        named = {name: value for name, value in attrs if value}
        self.anchors |= {named[name] for name in ("id", "name") if name in named}
        if "src" in named:
            self.loads.append(named["src"])
        if "href" in named:
            (self.loads if tag == "link" else self.links).append(named["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as `make docs` does."""
    if importlib.util.find_spec("mkdocs") is None:
        skip_or_fail("mkdocs is not installed; pip install -c constraints.txt -e '.[docs]'")
    folder: Path = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


def _pages(site: Path) -> dict[Path, Page]:
    # Reports of real runs are whole pages of their own; another test reads them.
    own = site / "examples"
    found = [path for path in site.rglob("*.html") if path.name != "404.html"]
    return {
        path: Page(path.read_text())
        for path in found
        if path.parent in (site, own) or own not in path.parents
    }


def test_no_link_leaves_to_a_missing_page(site: Path) -> None:
    """Every link within the site leads to a file of it, and every fragment to a place in that page."""
    pages = _pages(site)
    assert len(pages) > 30
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or not (parts.path or parts.fragment):
                continue
            target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
            assert target.exists(), (path, link)
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].anchors, (path, link)


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    """Scripts, styles, pictures and fonts lie in the site; so it works without a network."""
    for path, page in _pages(site).items():
        for load in page.loads:
            assert not re.match(r"(https?:)?//", load), (path, load)
            assert load.startswith("data:") or (path.parent / urlsplit(load).path).exists(), (path, load)
    for style in site.rglob("*.css"):
        assert not re.search(r"""(url\(|@import)\s*["']?(https?:)?//""", style.read_text()), style


def test_every_page_of_docs_is_found_by_its_reader() -> None:
    """The menu is by reader, and no page of docs/ is left out of it."""
    navigation = yaml.safe_load((CHECKOUT / "mkdocs.yml").read_text())["nav"]
    assert [title for section in navigation for title in section] == READERS
    listed = {
        page
        for section in navigation
        for pages in section.values()
        for each in pages
        for page in each.values()
    }
    assert {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")} <= listed


def test_the_rest_reference_is_that_of_the_code() -> None:
    """It fails when stale; `python -m api.reference > docs/rest-reference.md` makes it anew."""
    assert (DOCS / "rest-reference.md").read_text() == reference(description())


@pytest.mark.parametrize("page", TYPED, ids=lambda page: page.stem)
def test_every_program_of_a_tutorial_is_run_or_says_why_not(page: Path) -> None:
    """A block is run by the tests, or shows what a run printed, or has its reason before it."""
    assert blocks(page)
    for block in blocks(page):
        assert block.kind in {*RUN, SHOWN}, block.text
        assert block.runs or block.kind == SHOWN or block.reason, block.text


def test_the_dashboard_has_what_its_tutorial_names() -> None:
    """Each word in bold letters stands on a page of the dashboard."""
    patterns = ("api/dashboard/**/*.j2", "api/dashboard/**/*.py", "certd/reports/page.py")
    said = "".join(path.read_text() for pattern in patterns for path in CHECKOUT.glob(pattern))
    named = re.findall(r"\*\*(.+?)\*\*", (DOCS / "tutorials" / "dashboard.md").read_text())
    assert len(named) > 10
    assert [name for name in named if name not in said] == []
