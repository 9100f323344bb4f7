"""A YAML file in which an operator registers things by name, edited without losing a comment.

The file is one mapping of block entries::

    # trained in March
    my-model:
      uri: weights/my-model.pth
      num_classes: 10
"""

from __future__ import annotations

import os
import tempfile
from itertools import accumulate
from pathlib import Path
from typing import Any

import yaml

from certd.errors import Conflict, NotFound, UnreadableInput

MOST_NESTED = 64
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}


def read_entries(path: Path) -> dict[str, dict[str, Any]]:
    """Return the entries by name, in the order of the file.

    Raises:
        NotFound: If there is no such file.
        UnreadableInput: If it is not YAML, or not a mapping of distinct names to mappings.
    """
    return _parse(_read(path), path.name)


def add_entry(path: Path, name: str, members: dict[str, Any]) -> None:
    """Append an entry, in one atomic step; the file is made if there is none.

    Raises:
        Conflict: If the name is taken, or the file is not laid out as one block an entry.
        UnreadableInput: If the file is malformed as it stands.
    """
    text = _read(path) if path.exists() else ""
    entries = _parse(text, path.name)
    if name in entries:
        raise Conflict(f"{path.name} holds {name!r} already; remove it first.")
    # ASCII alone: written as they are, some Unicode line breaks would not be read back as they were.
    block = yaml.safe_dump({name: members}, sort_keys=False, default_flow_style=None, allow_unicode=False)
    separator = "" if not text or text.endswith("\n") else "\n"
    _replace(path, text + separator + block, entries | {name: members})


def remove_entry(path: Path, name: str) -> None:
    """Cut an entry out, in one atomic step; comments around it stay.

    Raises:
        NotFound: If there is no such file or entry.
        Conflict: If the file is not laid out as one block an entry.
        UnreadableInput: If the file is malformed as it stands.
    """
    text = _read(path)
    entries = _parse(text, path.name)
    if name not in entries:
        raise NotFound(f"{path.name} holds no {name!r}.")
    first, last = _lines_of(text, name)
    lines = text.splitlines(keepends=True)
    del lines[first : last + 1]
    _replace(path, "".join(lines), {key: value for key, value in entries.items() if key != name})


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFound(f"There is no registry {path}.") from error
    except UnicodeDecodeError as error:
        raise UnreadableInput(f"{path.name} is not UTF-8.") from error


def _parse(text: str, name: str) -> dict[str, dict[str, Any]]:
    _require_shallow(text, name)
    try:
        names = [key.value for key, _ in _pairs(text)]
        entries = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UnreadableInput(f"{name} is no valid YAML: {error}.") from error
    entries = {} if entries is None else entries
    if not isinstance(entries, dict) or not all(isinstance(value, dict) for value in entries.values()):
        raise UnreadableInput(f"{name} must map each name to the members of its entry.")
    # YAML readers keep the last of two equal keys without a word.
    repeated = next((key for key in names if names.count(key) > 1), None)
    if repeated is not None:
        raise UnreadableInput(f"{name} registers {repeated!r} twice.")
    return {str(key): value for key, value in entries.items()}


def _require_shallow(text: str, name: str) -> None:
    """Refuse brackets in brackets beyond all use: the reader takes seconds for a thousand of them."""
    steps = (_STEPS.get(character, 0) for character in text)
    deepest = max(accumulate(steps, lambda depth, step: max(0, depth + step), initial=0))
    if deepest > MOST_NESTED:
        raise UnreadableInput(f"{name} opens more than {MOST_NESTED} brackets within one another.")


def _pairs(text: str) -> list[tuple[yaml.Node, yaml.Node]]:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    return list(root.value) if isinstance(root, yaml.MappingNode) else []


def _lines_of(text: str, name: str) -> tuple[int, int]:
    key, value = next(pair for pair in _pairs(text) if pair[0].value == name)
    return key.start_mark.line, _last_line(value)


def _last_line(node: yaml.Node) -> int:
    """Return the last line with content; the end mark of a block lies beyond the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    end = node.end_mark
    return end.line if end.column else end.line - 1


def _replace(path: Path, text: str, expected: dict[str, dict[str, Any]]) -> None:
    """Write ``text`` in place of the file, provided that it says exactly ``expected``."""
    try:
        understood = _parse(text, path.name) == expected
    except UnreadableInput:
        understood = False
    if not understood:
        raise Conflict(f"{path.name} is not laid out as one block an entry; edit it by hand.")
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        _keep_mode(path, Path(temporary))
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _keep_mode(path: Path, temporary: Path) -> None:
    """Give the new file the old one's permissions; a fresh registry is readable by the workers' user."""
    temporary.chmod(path.stat().st_mode if path.exists() else 0o644)
