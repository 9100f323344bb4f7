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
from certd.errors import InvalidParameter, NotFound

if TYPE_CHECKING:
    from certd.reports import Results
    from certd.reports.brackets import BracketReport
    from certd.reports.results_file import Stored


def report(
    file: options.RunFile,
    as_json: options.AsJson = False,
    html: Annotated[Path | None, typer.Option(help="Write the page here; it needs no network.")] = None,
    attacks: Annotated[
        Path | None,
        typer.Option(help="What `certd attack` found; the report then says what the radii lie between."),
    ] = None,
    methods: Annotated[bool, typer.Option("--methods", help="Print the methods sentence alone.")] = False,
    bibtex: Annotated[bool, typer.Option("--bibtex", help="Print BibTeX of what was used alone.")] = False,
) -> None:
    """Recompute the report of FILE from its counts."""
    from certd.reports.results_file import MOST_KEPT_APART

    stored = open_stored(file, MOST_KEPT_APART)
    attacked = None if attacks is None else _attacked(attacks, stored)
    for warning in [] if attacked is None else attacked.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    if html is not None:
        html.write_text(_page(stored, attacked))
        sys.stderr.write(f"wrote {html}\n")
    if methods or bibtex:
        _print_texts(stored.results, methods=methods, bibtex=bibtex)
        return
    summary = _summary(stored)
    if attacked is not None:
        summary["attacks"] = attacked.as_json()
    if as_json:
        print(json.dumps(summary, indent=2))
        return
    show_report(summary)
    if attacked is not None:
        _print_attacked(attacked)


def _attacked(file: Path, stored: Stored) -> BracketReport:
    from certd.attacks.bracket import brackets_of
    from certd.reports.brackets import BracketReport

    if stored.manifest is None:
        raise InvalidParameter("An imported log was not attacked; --attacks goes with a run of certd.")
    if not file.is_file():
        raise NotFound(f"There is no file {file}.")
    made, brackets = brackets_of(file, stored.manifest)
    return BracketReport(brackets, made, len(stored.results))


def _print_attacked(attacked: BracketReport) -> None:
    from certd.reports.brackets import bracket_summary
    from certd.reports.tables import to_markdown

    print(f"\n{attacked.conditions}\n\n{to_markdown(bracket_summary(attacked))}", end="")


def _page(stored: Stored, attacked: BracketReport | None) -> str:
    from certd.reports.page import page_of_log, page_of_results

    if stored.manifest is None:
        return page_of_log(stored.results)
    return page_of_results(stored.results, stored.manifest, attacked)


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
