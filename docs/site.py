"""What MkDocs does not know of this project: pages that lie outside docs/, and links as they are written.

A link leads somewhere when the file is read where it lies. Here each is led to the page that was made of the
file, or to a copy of a file that is no page.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

CHECKOUT = Path(__file__).resolve().parents[1]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "benchmarks/README.md": "benchmarks.md",
    "examples/README.md": "programs.md",
}
"""Pages outside docs/, and where the site has them."""
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)(?=[#)])")
CODE = re.compile(r"(^```.*?^```|`[^`\n]+`)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages outside docs/, and the files that any page links to."""
    for origin, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(CHECKOUT / origin)))
    for file in list(files.documentation_pages()):
        for target in _targets(file):
            if not target.startswith("docs/") and target not in PAGES and (CHECKOUT / target).is_file():
                copy = File.generated(config, f"files/{target}.txt", abs_src_path=str(CHECKOUT / target))
                if copy.src_uri not in files.src_uris:
                    files.append(copy)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead the links of a page to pages of the site."""
    origin = _origin(page.file)

    def led(found: re.Match[str]) -> str:
        target = _of_the_site(_resolved(origin, found[1]))
        return posixpath.relpath(target, posixpath.dirname(page.file.src_uri) or ".")

    parts = CODE.split(markdown)
    return "".join(part if number % 2 else LINK.sub(led, part) for number, part in enumerate(parts))


def _targets(file: File) -> set[str]:
    """Return what a page links to, as paths from the root of the checkout."""
    text = CODE.sub("", file.content_string)
    return {_resolved(_origin(file), target) for target in LINK.findall(text)}


def _origin(file: File) -> str:
    """Return where a page lies in the checkout."""
    outside = {page: origin for origin, page in PAGES.items()}
    return outside.get(file.src_uri, f"docs/{file.src_uri}")


def _resolved(origin: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))


def _of_the_site(target: str) -> str:
    """Return where the site has a file of the checkout."""
    if target in PAGES:
        return PAGES[target]
    return target.removeprefix("docs/") if target.startswith("docs/") else f"files/{target}.txt"
