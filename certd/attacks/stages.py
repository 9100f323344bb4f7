"""What each attack did to each part of the images, kept as it becomes known: one line a stage."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from certd.errors import Conflict, UnreadableInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FORMAT = "certd-autoattack-1"
CLEAN = "clean"


@dataclass(frozen=True, slots=True)
class Stage:
    """One attack on one part of the images, or the look at them before any: ``clean``.

    Attributes:
        part: Number of the part, from 0.
        attack: Name of the attack.
        tried: Images that the attack was shown: those that no earlier one had brought down.
        fallen: Ids of images that fell to it; of ``clean``, that do not get their label as they are.
        pixels: SHA-256 of pixels and labels of the whole part, hexadecimal.
        warnings: What the package warned of.
    """

    part: int
    attack: str
    tried: int
    fallen: tuple[int, ...]
    pixels: str
    warnings: tuple[str, ...] = ()


class StageFile:
    """Stages on disk: the first line says how they were made.

    A line is written whole when its stage is finished, and one that was cut short is dropped, so that an
    evaluation that was stopped goes on where it was.

    Args:
        path: Of the file.
        header: What must be the same to go on: classifier, images, settings, package.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self._path, self._header = path, {"format": FORMAT, **header}

    def start(self, *, resume: bool) -> list[Stage]:
        """Begin the file, or go on with it.

        Returns:
            The stages that are finished.

        Raises:
            Conflict: If there is a file and it is not to be gone on with, or it was made otherwise.
        """
        if not self._path.exists():
            self._write([])
            return []
        if not resume:
            raise Conflict(f"{self._path} exists; add --resume to go on with it, or name another file.")
        header, stages = read_stages(self._path)
        if header != json.loads(json.dumps(self._header)):
            raise Conflict(f"{self._path} is of another classifier, data set or attack; name another file.")
        self._write(stages)
        return stages

    def add(self, stage: Stage) -> None:
        """Append one finished stage."""
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(stage)) + "\n")

    def _write(self, stages: Sequence[Stage]) -> None:
        """Write what is whole anew, without a line that was cut short."""
        lines = [json.dumps(self._header), *(json.dumps(asdict(each)) for each in stages)]
        draft = self._path.with_name(f".{self._path.name}.new")
        draft.write_text("\n".join(lines) + "\n", encoding="utf-8")
        draft.replace(self._path)


def read_stages(path: Path) -> tuple[dict[str, Any], list[Stage]]:
    """Return how the stages of a file were made, and the stages.

    Raises:
        UnreadableInput: If it is no such file.
    """
    first, *lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    try:
        header = json.loads(first)
        # What follows the last line break was cut short; it is empty where nothing was.
        stages = [_stage(json.loads(line)) for line in lines[:-1]]
    except (ValueError, TypeError, KeyError):
        header, stages = {}, []
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise UnreadableInput(f"{path} is no file that `certd autoattack` wrote.")
    return header, stages


def _stage(members: dict[str, Any]) -> Stage:
    return Stage(**{**members, "fallen": tuple(members["fallen"]), "warnings": tuple(members["warnings"])})
