"""``certd import``: somebody else's log becomes a file that every report command reads."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from enum import StrEnum
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from certd.cli import options
from certd.errors import InvalidParameter, NotFound, UnreadableInput

if TYPE_CHECKING:
    from certd.noise import Norm
    from certd.reports import Results
    from certd.reports.importers import Conditions


class LogFormat(StrEnum):
    """Files that can be imported."""

    COHEN = "cohen"
    COUNTS = "counts"
    RS4A = "rs4a"


def import_log(
    log: Annotated[Path, typer.Argument(help="The log; for rs4a the folder of arrays.")],
    sigma: options.Sigma,
    out: Annotated[Path, typer.Option("--out", "-o", help="Write the results here, as Parquet.")],
    n: Annotated[
        int | None,
        typer.Option("--n", help="Estimation draws an image; cohen: found from the largest radius."),
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(help="Failure probability; cohen: found from the largest radius.")
    ] = None,
    kind: Annotated[
        LogFormat,
        typer.Option("--format", help="cohen: TSV; counts: a table of class counts; rs4a: its arrays."),
    ] = LogFormat.COHEN,
    noise: Annotated[str, typer.Option(help="counts, rs4a: gaussian, laplace or uniform.")] = "gaussian",
    norm: Annotated[str, typer.Option(help="counts, rs4a: l1, l2 or linf.")] = "l2",
    input_shape: Annotated[str, typer.Option(help="Shape of an image, where radii depend on it.")] = "1",
    images: Annotated[
        int | None, typer.Option(help="Images that were to be certified, if the log stops short.")
    ] = None,
    model: Annotated[str, typer.Option(help="How to name the classifier.")] = "published log",
    dataset: Annotated[str | None, typer.Option(help="How to name the data set.")] = None,
) -> None:
    """Read LOG, check that its radii are possible at this budget, and write what it holds."""
    from certd.reports.results_file import write_results

    results = _read(
        kind, log, _Asked(sigma=sigma, n=n, alpha=alpha, noise=noise, norm=norm, input_shape=input_shape,
                          images=images, model=model)
    )  # fmt: skip
    with out.open("wb") as stream:
        write_results(stream, replace(results, dataset=dataset))
    settings = results.settings
    marked = "; radii are as printed, which may be rounded up" if kind is LogFormat.COHEN else ""
    budget = f"n = {settings['n']:,}, alpha = {settings['alpha']:g}"
    sys.stderr.write(f"{len(results):,} images, {budget}{marked}; wrote {out}\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the user said about the log."""

    sigma: float
    n: int | None
    alpha: float | None
    noise: str
    norm: str
    input_shape: str
    images: int | None
    model: str

    @property
    def conditions(self) -> Conditions:
        from certd.reports.importers.conditions import DEFAULT_ALPHA, Conditions

        shape = options.parse_numbers("--input-shape", self.input_shape) or ()
        dimension = prod(int(side) for side in shape)
        if self.norm not in {"l1", "l2", "linf"}:
            raise InvalidParameter(f"--norm is l1, l2 or linf, not {self.norm}.")
        alpha = DEFAULT_ALPHA if self.alpha is None else self.alpha
        return Conditions(self.sigma, alpha, self.noise, cast("Norm", self.norm), dimension)


def _read(kind: LogFormat, log: Path, asked: _Asked) -> Results:
    from certd.reports.importers import import_cohen, import_counts, import_rs4a

    match kind:
        case LogFormat.RS4A:
            if asked.n is None:
                raise InvalidParameter("rs4a's arrays do not hold --n; its scripts draw 100000 by default.")
            return import_rs4a(log, asked.conditions, asked.n, model=asked.model)
        case LogFormat.COUNTS:
            return import_counts(_text(log), asked.conditions, model=asked.model)
        case LogFormat.COHEN:
            if (asked.n is None) != (asked.alpha is None):
                raise InvalidParameter(
                    "Give both --n and --alpha, or neither: the largest radius tells both."
                )
            budget = None if asked.n is None or asked.alpha is None else (asked.n, asked.alpha)
            return import_cohen(
                _text(log), asked.sigma, budget=budget, requested=asked.images, model=asked.model
            )


def _text(log: Path) -> str:
    if not log.is_file():
        raise NotFound(f"There is no file {log}.")
    try:
        return log.read_text()
    except UnicodeDecodeError:
        raise UnreadableInput(f"{log.name} is no text; is it the right file?") from None
