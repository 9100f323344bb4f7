"""Command lines of `certd` that stand in documents and workflows, held against the program itself."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

import typer.main

from certd.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = re.compile(r"(?:^|[|;&(]\s*)(?:\w+=\S+\s+)*certd(?=\s+[a-z])(.*)")


def certd_lines(text: str) -> Iterator[str]:
    """Yield what follows `certd` on each line of a shell program; continued lines are joined first."""
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if found := COMMAND.search(line.strip()):
            yield found[1]


def complaint(line: str) -> str | None:
    """Say what is wrong with the words after `certd`, no such command or option; None if nothing is."""
    command: Any = typer.main.get_command(app)
    words = shlex.split(line, comments=True)
    path = ["certd"]
    while (commands := getattr(command, "commands", None)) is not None:
        name = words.pop(0) if words else ""
        if name not in commands:
            return f"{' '.join(path)} has no command {name!r}"
        command = commands[name]
        path.append(name)
    known = {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    asked = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    unknown = sorted(set(asked) - known - {"--help"})
    return f"{' '.join(path)} has no option {unknown[0]}" if unknown else None
