"""``certd claims``: what authors claim on a leaderboard, read, rewritten and held against an evaluation."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from certd.cli import options
from certd.errors import InvalidParameter, UnreadableInput

if TYPE_CHECKING:
    from certd.reports.claims import Claim, Difference

MOST_BYTES = 4_000_000
DIFFERENT = 1

app = typer.Typer(help="Claims in RobustBench's form and model_info JSON.", no_args_is_help=True)

ClaimFile = Annotated[Path, typer.Argument(help="A filled form in Markdown, or a model_info JSON.")]


class ClaimForm(StrEnum):
    """Forms that a claim can take."""

    MARKDOWN = "md"
    JSON = "json"


@app.command()
def convert(
    file: ClaimFile,
    form: Annotated[ClaimForm, typer.Option("--format", help="md, or json: one model.")] = ClaimForm.MARKDOWN,
    model: Annotated[int | None, typer.Option(help="Number of the model, from 1.")] = None,
) -> None:
    """Print FILE in the other form; accuracies keep the digits that they were printed with."""
    from certd.reports.claims import write_form, write_model_info

    claim = _read(file)
    if form is ClaimForm.MARKDOWN:
        print(write_form(claim), end="")
        return
    place = _only(claim, model, file)
    print(write_model_info(claim.models[place]), end="")


@app.command()
def compare(
    file: ClaimFile,
    evaluation: Annotated[Path, typer.Argument(help="A stored evaluation: model_info JSON, or a form.")],
    model: Annotated[int | None, typer.Option(help="Number of the claimed model, from 1.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Name every member in which a claim and an evaluation differ; exit 1 if there is one."""
    from certd.reports.claims import differences

    claim, measured = _read(file), _read(evaluation)
    claimed = claim.models[_only(claim, model, file)]
    found = differences(claimed, measured.models[_only(measured, None, evaluation)])
    print(json.dumps([asdict(each) for each in found]) if as_json else _printed(found), end="")
    if found:
        raise typer.Exit(DIFFERENT)


def _read(file: Path) -> Claim:
    from certd.reports.claims import Claim, read_form, read_model_info

    if not file.is_file():
        raise InvalidParameter(f"{file} is no file.")
    if file.stat().st_size > MOST_BYTES:
        raise UnreadableInput(f"{file.name} is larger than any claim: {MOST_BYTES:,} bytes are read at most.")
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UnreadableInput(f"{file.name} is no text in UTF-8.") from None
    if text.lstrip().startswith("{"):
        return Claim(title="", url="", authors="", models=(read_model_info(text),))
    return read_form(text)


def _only(claim: Claim, model: int | None, file: Path) -> int:
    """Return the index of the model that is meant."""
    if model is None and len(claim.models) == 1:
        return 0
    if model is None or not 1 <= model <= len(claim.models):
        raise InvalidParameter(
            f"{file.name} is of {len(claim.models)} models; name one with --model 1 to {len(claim.models)}."
        )
    return model - 1


def _printed(found: tuple[Difference, ...]) -> str:
    if not found:
        return "No difference.\n"
    lines = [
        f"{each.member}: claimed {each.claimed}, evaluated {each.evaluated} ({each.note})" for each in found
    ]
    return "\n".join(lines) + "\n"
