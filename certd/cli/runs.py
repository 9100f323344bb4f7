"""Opens and writes run files for the commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.errors import NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from certd.smoothing.run import Run


def open_run(file: Path) -> Run:
    """Read a run file.

    Raises:
        NotFound: If there is no such file.
        UnreadableInput: If it is no run.
    """
    from certd.smoothing.run import read_run

    if not file.is_file():
        raise NotFound(f"There is no file {file}.")
    with file.open("rb") as stream:
        return read_run(stream)
