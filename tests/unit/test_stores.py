"""What a store promises, on a folder and in a bucket alike."""

from __future__ import annotations

import errno
import io
import os
import threading
from typing import TYPE_CHECKING

import pytest

from certd.errors import InvalidParameter, StorageAway
from certd.storage import FolderStore, Store, open_store
from tests.s3_server import new_bucket, overloaded_server, s3_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def s3_environment() -> Iterator[dict[str, str]]:
    """Serve S3 for this module."""
    with s3_server() as environment:
        yield environment


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Yield an empty store of either kind."""
    if request.param == "folder":
        yield open_store(str(tmp_path / "deep" / "folder"))
        return
    environment: dict[str, str] = request.getfixturevalue("s3_environment")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    yield open_store(new_bucket())


def test_what_was_written_is_read(store: Store) -> None:
    """By value and as a stream; a second write takes the place of the first."""
    store.write("a/b/c", b"one")
    store.write("a/b/c", b"two")
    assert store.read("a/b/c") == b"two"
    with store.open("a/b/c") as stream:
        stream.seek(1)
        assert stream.read() == b"wo"
    assert store.exists("a/b/c")
    assert not store.exists("a/b")
    assert store.modified_at("a/b/c") > 0


def test_a_write_that_breaks_off_leaves_nothing(store: Store) -> None:
    """A reader sees the whole of what was written, or what was there before."""
    store.write("a/x", b"before")
    for name in ("a/x", "a/new"):
        with pytest.raises(ValueError, match="half"):
            _break_off(store, name)
    assert store.read("a/x") == b"before"
    assert store.children("a") == ["x"]


def _break_off(store: Store, name: str) -> None:
    with store.writing(name) as stream:
        stream.write(b"half")
        raise ValueError("only half is there")


def test_a_name_is_created_once(store: Store) -> None:
    """The second is told that it lost, and changes nothing."""
    assert store.create("p/q", b"first")
    assert not store.create("p/q", b"second")
    assert store.read("p/q") == b"first"


def test_what_is_not_there_is_missed(store: Store) -> None:
    """Reading raises; listing, looking and removing do not."""
    for read in (store.read, store.modified_at):
        with pytest.raises(FileNotFoundError):
            read("no/such")
    with pytest.raises(FileNotFoundError), store.open("no/such"):
        pass
    assert not store.exists("no/such")
    assert store.children("no") == []
    store.remove("no/such")
    store.remove_folder("no")


def test_children_are_what_lies_directly_inside(store: Store) -> None:
    """Names and folders, each once, by the last part of the name."""
    for name in ("f/a", "f/g/b", "f/g/c", "other/d"):
        store.write(name, b"x")
    assert sorted(store.children("f")) == ["a", "g"]


def test_a_removed_folder_takes_all_it_held_and_nothing_else(store: Store) -> None:
    """Its neighbour, whose name begins alike, stays."""
    for name in ("f/a", "f/g/b", "fg/c"):
        store.write(name, b"x")
    store.remove("f/a")
    assert store.children("f") == ["g"]
    store.remove_folder("f")
    assert store.children("f") == []
    assert store.read("fg/c") == b"x"


def test_of_many_that_create_at_once_one_wins(tmp_path: Path) -> None:
    """Sixteen threads, one name: one is told that it was the first, and its content stays."""
    store = FolderStore(tmp_path)
    start, won = threading.Barrier(16), list[int]()

    def run(number: int) -> None:
        start.wait()
        if store.create("once", str(number).encode()):
            won.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [str(number).encode() for number in won] == [store.read("once")]


def test_a_folder_that_does_not_answer_is_not_taken_for_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handle that went stale, in every way to look at a file or to read on in it."""

    def stale(*_: object, **__: object) -> None:
        raise OSError(errno.ESTALE, "Stale file handle")

    store = FolderStore(tmp_path)
    store.write("a/b", b"x")
    with pytest.raises(StorageAway, match="Stale file handle"), store.open("a/b"):
        stale()
    for name in ("stat", "open", "listdir", "unlink"):
        monkeypatch.setattr(os, name, stale)
    monkeypatch.setattr(io, "open", stale)
    for ask in (store.exists, store.read, store.children, store.modified_at, store.remove):
        with pytest.raises(StorageAway, match="Stale file handle"):
            ask("a/b")
    for write in (store.write, store.create):
        with pytest.raises(StorageAway):
            write("a/b", b"x")


@pytest.mark.parametrize("answers", ["503", "nobody"])
def test_a_bucket_that_does_not_answer_is_not_taken_for_empty(
    monkeypatch: pytest.MonkeyPatch, answers: str
) -> None:
    """Overloaded, or with nobody at its address: nothing is said to be there or not."""
    with overloaded_server() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        if answers == "nobody":
            monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        store = open_store("s3://bucket/prefix")
        for ask in (store.exists, store.read, store.open, store.children, store.modified_at):
            with pytest.raises(StorageAway, match="try again"):
                ask("a/b")
        for write in (store.write, store.create):
            with pytest.raises(StorageAway):
                write("a/b", b"x")


@pytest.mark.parametrize("place", ["gs://bucket", "s3://", "s3:///", "http://host/x"])
def test_a_place_of_another_kind_is_refused(place: str) -> None:
    """With what a place may be."""
    with pytest.raises(InvalidParameter, match="s3://bucket/prefix"):
        open_store(place)
