"""The command line: ``certd``. Standard output is data, standard error is progress."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import typer

from certd.cli.attack import attack
from certd.cli.autoattack import autoattack
from certd.cli.certify import certify
from certd.cli.check import check
from certd.cli.claims import app as claims_app
from certd.cli.cohen_certify import cohen_certify
from certd.cli.compare import compare
from certd.cli.confidence import confidence
from certd.cli.datasets import app as datasets_app
from certd.cli.doctor import doctor
from certd.cli.estimate import estimate
from certd.cli.export import export
from certd.cli.import_log import import_log
from certd.cli.keys import app as keys_app
from certd.cli.leaderboard import leaderboard
from certd.cli.mix import mix, weights
from certd.cli.plot import plot
from certd.cli.recompute import recompute
from certd.cli.registry import app as models_app
from certd.cli.report import report
from certd.cli.soup_sweep import app as soup_app
from certd.cli.study import app as study_app
from certd.cli.table import table
from certd.cli.train import train
from certd.cli.verify import verify
from certd.datasets.extras import needed_to_run
from certd.errors import CertdError, InvalidRequest, NotFound, Unreachable

FAILED, USAGE, NO_SERVER, INTERRUPTED = 1, 2, 4, 130

app = typer.Typer(
    help="Certify image classifiers by randomized smoothing.", no_args_is_help=True, add_completion=False
)
app.add_typer(models_app, name="models")
app.add_typer(datasets_app, name="datasets")
app.add_typer(keys_app, name="keys")
app.add_typer(claims_app, name="claims")
app.add_typer(study_app, name="study")
app.add_typer(soup_app, name="soup")
COMMANDS = (
    certify, cohen_certify, estimate, report, plot, table, compare, check, export, recompute, verify, mix,
    weights, train, leaderboard, attack, autoattack, confidence, doctor,
)  # fmt: skip
for command in COMMANDS:
    app.command()(command)
app.command("import")(import_log)


def main() -> None:
    """Run the command line; an error is one sentence on standard error."""
    try:
        app()
    except CertdError as error:
        _stop(error.message, _exit_code(error))
    except ModuleNotFoundError as error:
        if (missing := needed_to_run(error)) is None:
            raise
        _stop(missing.message, FAILED)
    except KeyboardInterrupt:
        _stop("interrupted", INTERRUPTED)


def _stop(message: str, code: int) -> NoReturn:
    """End the process at once.

    A library's thread that still runs while the interpreter is taken down aborts the process now and then, so
    that the caller reads SIGABRT for a refusal. What was finished is on disk; nothing is left to take down.
    """
    sys.stderr.write(f"certd: {message}\n")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _exit_code(error: CertdError) -> int:
    if isinstance(error, InvalidRequest | NotFound):
        return USAGE
    return NO_SERVER if isinstance(error, Unreachable) else FAILED
