"""Runs the looks one after the other and prints what they found."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from certd.cli.doctor.door import look_at_door
from certd.cli.doctor.finding import Health
from certd.cli.doctor.machine import look_at_accelerator, look_at_cores
from certd.cli.doctor.packages import look_at_packages
from certd.cli.doctor.queue import look_at_queue
from certd.cli.doctor.registries import look_at_registries
from certd.cli.doctor.storage import look_at_storage
from certd.cli.options import AsJson
from certd.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from certd.cli.doctor.finding import Finding
    from certd.settings import Settings

MARKS = {Health.OK: ("✓", "green"), Health.WARNING: ("!", "yellow"), Health.FAILED: ("✗", "red")}


def doctor(as_json: AsJson = False) -> None:
    """Look at all that a service stands on, and say what to mend; exit 1 if a part is broken."""
    findings = list(examine(load_settings()))
    healthy = all(finding.health != Health.FAILED for finding in findings)
    if as_json:
        print(
            json.dumps({"healthy": healthy, "findings": [asdict(finding) for finding in findings]}, indent=2)
        )
    else:
        _show(findings)
    raise typer.Exit(0 if healthy else 1)


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield what every look finds, in the order in which things are mended."""
    yield from look_at_packages()
    yield from look_at_storage(settings)
    yield from look_at_door(settings)
    yield from look_at_queue(settings)
    yield from look_at_accelerator(settings)
    yield from look_at_cores(settings)
    yield from look_at_registries(settings)


def _show(findings: Sequence[Finding]) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        mark, colour = MARKS[finding.health]
        detail = Text(finding.detail)
        if finding.advice:
            detail.append(f"\n→ {finding.advice}", style=colour)
        table.add_row(Text(mark, style=colour), finding.part, detail)
    console = Console(highlight=False)
    console.print(table)
    counts = Counter(finding.health for finding in findings)
    console.print(
        f"\n{counts[Health.OK]} in order, {counts[Health.WARNING]} to look at, {counts[Health.FAILED]} broken"
    )
