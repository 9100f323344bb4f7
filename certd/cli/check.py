"""``certd check``: a gate for continuous integration."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from certd.cli import options
from certd.cli.runs import open_results
from certd.errors import InvalidParameter

FAILED = 1


def check(
    file: options.RunFile,
    least: Annotated[
        list[str] | None, typer.Option("--min", help='Must hold: "acc@0.5>=0.40", "acr>=0.3", "pa@0.9>=0.5".')
    ] = None,
    most: Annotated[list[str] | None, typer.Option("--max", help='Must hold: "abstain<=0.1".')] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Judge an unfinished run as well.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Judge FILE by conditions on its numbers; exit 1 if one does not hold."""
    from certd.reports.checks import Condition

    conditions = [Condition.parse(text, "min") for text in least or ()]
    conditions += [Condition.parse(text, "max") for text in most or ()]
    if not conditions:
        raise InvalidParameter('Give at least one condition, such as --min "acc@0.5>=0.40".')
    results = open_results(file)
    if not (results.complete or partial):
        raise InvalidParameter(
            f"The run holds {len(results)} of {results.requested} images. Finish it with --resume, or add "
            "--partial to judge what is there."
        )
    outcomes = [condition.judge(results) for condition in conditions]
    if as_json:
        print(json.dumps([asdict(outcome) for outcome in outcomes]))
    else:
        for outcome in outcomes:
            print(f"{'ok    ' if outcome.holds else 'FAILED'}  {outcome.condition:<20} {outcome.evidence}")
    if not all(outcome.holds for outcome in outcomes):
        raise typer.Exit(FAILED)
