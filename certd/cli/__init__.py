"""The command line: ``certd``. Standard output is data, standard error is progress."""

from __future__ import annotations

import sys

import typer

from certd.cli.certify import certify
from certd.cli.doctor import doctor
from certd.cli.estimate import estimate
from certd.cli.keys import app as keys_app
from certd.cli.recompute import recompute
from certd.cli.registry import app as models_app
from certd.cli.report import report
from certd.cli.verify import verify
from certd.errors import CertdError, InvalidRequest, NotFound

USAGE, FAILED, INTERRUPTED = 2, 1, 130

app = typer.Typer(
    help="Certify image classifiers by randomized smoothing.", no_args_is_help=True, add_completion=False
)
app.add_typer(models_app, name="models")
app.add_typer(keys_app, name="keys")
for command in (certify, doctor, estimate, report, recompute, verify):
    app.command()(command)


def main() -> None:
    """Run the command line; an error is one sentence on standard error."""
    try:
        app()
    except CertdError as error:
        sys.stderr.write(f"certd: {error.message}\n")
        sys.exit(USAGE if isinstance(error, InvalidRequest | NotFound) else FAILED)
    except KeyboardInterrupt:
        sys.stderr.write("certd: interrupted\n")
        sys.exit(INTERRUPTED)
