"""``certd report``: the report of a stored run or of an imported log."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from certd.cli import options
from certd.cli.display import show_report
from certd.cli.runs import open_stored

if TYPE_CHECKING:
    from certd.reports import Results
    from certd.reports.results_file import Stored


def report(
    file: options.RunFile,
    as_json: options.AsJson = False,
    html: Annotated[Path | None, typer.Option(help="Write the page here; it needs no network.")] = None,
    methods: Annotated[bool, typer.Option("--methods", help="Print the methods sentence alone.")] = False,
    bibtex: Annotated[bool, typer.Option("--bibtex", help="Print BibTeX of what was used alone.")] = False,
) -> None:
    """Recompute the report of FILE from its counts."""
    from certd.reports.results_file import MOST_KEPT_APART

    stored = open_stored(file, MOST_KEPT_APART)
    if html is not None:
        html.write_text(_page(stored))
        sys.stderr.write(f"wrote {html}\n")
    if methods or bibtex:
        _print_texts(stored.results, methods=methods, bibtex=bibtex)
        return
    summary = _summary(stored)
    if as_json:
        print(json.dumps(summary, indent=2))
    else:
        show_report(summary)


def _page(stored: Stored) -> str:
    from certd.reports.page import page_of_log, page_of_results

    if stored.manifest is None:
        return page_of_log(stored.results)
    return page_of_results(stored.results, stored.manifest)


def _summary(stored: Stored) -> dict[str, Any]:
    from certd.reports.summary import summarize_log, summarize_results

    if stored.manifest is None:
        return summarize_log(stored.results)
    return summarize_results(stored.results, stored.manifest)


def _print_texts(results: Results, *, methods: bool, bibtex: bool) -> None:
    from certd.reports.methods import bibliography, methods_sentence

    if methods:
        print(methods_sentence(results))
    if bibtex:
        print(bibliography(results), end="")
