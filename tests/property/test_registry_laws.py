"""Registries and wrapped weights, for whatever a user may write."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certd.datasets.registry_file import add_entry, read_entries, remove_entry
from certd.models.loaders.assignment import strip_prefix

pytestmark = pytest.mark.slow

NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}", fullmatch=True)
VALUES = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30),
    st.integers(),
    st.floats(allow_nan=False),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=3),
)
ENTRIES = st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, min_size=1, max_size=3), max_size=4)
COMMENTS = st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20), max_size=2)


@settings(max_examples=60, deadline=None)
@given(entries=ENTRIES, comments=COMMENTS, data=st.data())
def test_adding_and_removing_touch_one_entry_only(
    entries: dict[str, dict[str, Any]], comments: list[str], data: st.DataObject
) -> None:
    """What was registered is what is read, and comments and other entries survive every removal."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "registry.yaml"
        notes = [f"# {comment}\n" for comment in comments]
        path.write_text("".join(notes))
        for name, members in entries.items():
            add_entry(path, name, members)
        assert read_entries(path) == entries
        for name in data.draw(st.permutations(list(entries))):
            remove_entry(path, name)
            del entries[name]
            assert read_entries(path) == entries
        assert path.read_text() == "".join(notes)


@given(
    prefix=st.sampled_from(["", "module.", "1.", "1.module.", "module.1."]),
    keys=st.lists(
        st.from_regex(r"[a-z]{1,5}(\.[a-z0-9]{1,3}){0,2}", fullmatch=True), min_size=1, unique=True
    ),
)
def test_stripping_undoes_wrapping(prefix: str, keys: list[str]) -> None:
    """A wrapper's prefix comes off, and nothing else does, unless the network's own names look wrapped."""
    own = strip_prefix(keys)
    assert strip_prefix([prefix + key for key in own]) == own or any("module" in key for key in own)
