"""Pages whose programs are run: what a page says to type, and what it says comes out."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FENCED = re.compile(
    r"(?:<!-- not run: (?P<reason>.+?) -->\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
RUN = {
    "sh": "{text}",
    "python": "python - <<'END'\n{text}END",
    "js": "node --input-type=module - <<'END'\n{text}END",
}
SHOWN = "text"
LEFT_OUT = "..."
MARK = "\x1e"


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a page.

    Attributes:
        kind: The language beside the fence; empty for none.
        text: What it holds.
        reason: Why it is not run, where the page says that it is not.
    """

    kind: str
    text: str
    reason: str | None

    @property
    def runs(self) -> bool:
        """Return whether the tests run it."""
        return self.kind in RUN and self.reason is None


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page in its order."""
    return [
        Block(found["kind"], found["text"], found["reason"]) for found in FENCED.finditer(page.read_text())
    ]


def program(page: list[Block]) -> str:
    """Return one shell program of all blocks that run; a mark is printed before each."""
    lines = ["set -euo pipefail"]
    for number, block in enumerate(page):
        if block.runs:
            lines += [f"echo {shlex.quote(f'{MARK}{number}')}", RUN[block.kind].format(text=block.text)]
    return "\n".join(lines)


def unlike(page: list[Block], printed: str) -> list[str]:
    """Return the lines that a page shows and that the program before them did not print.

    Between the lines shown others may have been printed where the page has a line of three dots.
    """
    outputs = dict(_numbered(part) for part in printed.split(MARK)[1:])
    missing: list[str] = []
    for number, block in enumerate(page):
        if block.kind == SHOWN and block.reason is None:
            spoken = [before for before in range(number) if page[before].runs]
            missing += _missing(block.text, outputs.get(spoken[-1], "") if spoken else "")
    return missing


def _numbered(part: str) -> tuple[int, str]:
    number, _, output = part.partition("\n")
    return int(number), output


def _missing(shown: str, printed: str) -> list[str]:
    """Return the pieces of what is shown, between lines of dots, that do not stand in what was printed so."""
    said = "\n".join(line.rstrip() for line in printed.splitlines())
    pieces = [piece.strip("\n") for piece in re.split(rf"^{re.escape(LEFT_OUT)}$", shown, flags=re.MULTILINE)]
    return [piece for piece in pieces if "\n".join(line.rstrip() for line in piece.splitlines()) not in said]
