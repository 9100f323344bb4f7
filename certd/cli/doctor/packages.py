"""Looks at the installed packages: whether they are the versions that were tested together."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from certd._version import __version__
from certd.cli.doctor.finding import doubtful, fine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certd.cli.doctor.finding import Finding

CONSTRAINTS = Path(__file__).resolve().parents[3] / "constraints.txt"
SHOWN = 6


def look_at_packages(constraints: Path = CONSTRAINTS) -> Iterator[Finding]:
    """Compare what is installed with the tested versions; an absent package is an extra not asked for."""
    yield fine("certd", f"{__version__} on Python {platform.python_version()}, {platform.machine()}")
    if not constraints.is_file():
        return
    pins = dict(line.split("==") for line in constraints.read_text().splitlines() if "==" in line)
    installed = {name: found for name in pins if (found := _installed(name)) is not None}
    # A local build such as 2.13.0+cpu is the pinned version.
    others = [name for name, found in installed.items() if found.partition("+")[0] != pins[name]]
    if not others:
        yield fine("packages", f"{len(installed)} of {len(pins)} installed, all as tested")
        return
    listed = ", ".join(f"{name} {installed[name]} (tested: {pins[name]})" for name in others[:SHOWN])
    more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
    yield doubtful(
        "packages", f"not as tested: {listed}{more}", "pip install -c constraints.txt -e '.[service]'"
    )


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
