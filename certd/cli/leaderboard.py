"""``certd leaderboard``: stored runs ranked where their numbers mean the same."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from certd.cli import options
from certd.cli.runs import open_results
from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from certd.reports.leaderboard import Leaderboard

Ranked = Annotated[list[Path], typer.Argument(help="Runs, or imported logs, with labels.")]


def leaderboard(
    files: Ranked,
    by: Annotated[str, typer.Option(help="A radius to rank certified accuracy at, or acr.")] = "0",
    html: Annotated[Path | None, typer.Option(help="Write the page here; it needs no network.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Rank runs; those under other conditions stand in tables of their own."""
    from certd.reports.leaderboard import leaderboard as ranked

    found = ranked([open_results(file) for file in files], _by(by), [file.stem for file in files])
    if html is not None:
        html.write_text(found.page())
        sys.stderr.write(f"wrote {html}\n")
    print(json.dumps(found.as_json()) if as_json else _printed(found), end="")


def _by(text: str) -> float | str:
    try:
        return text if text == "acr" else float(text)
    except ValueError:
        raise InvalidParameter(f"--by takes a radius or acr, not {text!r}.", pointer="/by") from None


def _printed(found: Leaderboard) -> str:
    from certd.reports.tables import to_markdown

    parts = [f"Ranked by {found.by}; ranks hold within a table.\n"]
    parts += [f"\n## {group.conditions}\n\n{to_markdown(group.table)}" for group in found.groups]
    return "".join(parts)
