"""Opens stored runs and imported logs for the commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certd.errors import NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from certd.reports import Results
    from certd.reports.results_file import Stored
    from certd.smoothing.run import Run


def open_stored(file: Path, most_kept_apart: int | None = None) -> Stored:
    """Read what the reports need of a run file, or of one that ``certd import`` wrote.

    Args:
        file: Its path.
        most_kept_apart: As for :func:`certd.reports.results_file.read_stored`.

    Raises:
        NotFound: If there is no such file.
        UnreadableInput: If it is neither.
        InvalidParameter: If no image is finished yet.
    """
    from certd.reports.results_file import read_stored

    if not file.is_file():
        raise NotFound(f"There is no file {file}.")
    with file.open("rb") as stream:
        return read_stored(stream, most_kept_apart)


def open_results(file: Path) -> Results:
    """Return the images of :func:`open_stored`."""
    return open_stored(file).results


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
