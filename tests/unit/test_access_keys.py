"""Keys: shown once, kept as digests, found in constant time, useless once revoked."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certd.access import Key, KeyStore, Scope, make_token, parse_token
from certd.access import key as keys_module
from certd.errors import InvalidParameter, NotFound, Unavailable, UnreadableInput

if TYPE_CHECKING:
    from pathlib import Path

BOTH = frozenset({Scope.READ, Scope.SUBMIT})


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    """Return a store without a file."""
    return KeyStore(tmp_path / "keys.json")


def test_a_key_is_found_by_its_token_alone(store: KeyStore) -> None:
    """The right token finds the key; the right id with another secret, and an unknown id, find nothing."""
    key, token = store.create("alice", BOTH)
    other = make_token()
    assert store.find(token) == key
    assert store.find(type(token)(token.key_id, other.secret)) is None
    assert store.find(other) is None
    assert store.find(type(token)("0" * 12, token.secret)) is None


def test_the_secret_is_kept_nowhere(store: KeyStore) -> None:
    """The file holds the SHA-256 of the secret and not the secret; neither is in a printed key or token."""
    key, token = store.create("alice", BOTH)
    text = store.path.read_text()
    assert token.secret not in text
    assert hashlib.sha256(token.secret.encode()).hexdigest() in text
    assert token.secret not in repr(token)
    assert key.sha256 not in repr(key)


def test_a_token_survives_the_way_through_a_header() -> None:
    """What is printed once is what is read back, and no two are alike."""
    tokens = [make_token() for _ in range(50)]
    assert [parse_token(token.text()) for token in tokens] == tokens
    assert len({token.secret for token in tokens}) == 50
    assert all(len(token.secret) * 5 >= 256 for token in tokens)


@given(st.one_of(st.text(max_size=90), st.from_regex(r"certd_[0-9a-z]*_[0-9a-z]*", fullmatch=True)))
def test_whatever_is_sent_as_a_key_is_answered(text: str) -> None:
    """A string is a token that prints as it came, or it is none."""
    token = parse_token(text)
    assert token is None or token.text() == text


def test_the_comparison_is_the_constant_time_one(store: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known and unknown ids alike are compared once, by hmac.compare_digest, on digests of equal length."""
    compared: list[tuple[str, str]] = []

    def spy(left: str, right: str) -> bool:
        compared.append((left, right))
        return left == right

    monkeypatch.setattr(keys_module, "compare_digest", spy)
    _, token = store.create("alice", BOTH)
    for tried in (token, type(token)(token.key_id, make_token().secret), make_token()):
        store.find(tried)
    assert len(compared) == 3
    assert {len(side) for pair in compared for side in pair} == {64}


def test_the_file_is_its_owner_s_alone(store: KeyStore) -> None:
    """The file has mode 600 after each change, whatever the umask."""
    before = os.umask(0)
    try:
        key, _ = store.create("alice", BOTH)
        store.revoke(key.id)
    finally:
        os.umask(before)
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_not_believed(store: KeyStore, mode: int) -> None:
    """Who may write the file may make himself an admin, so no key in it is valid."""
    _, token = store.create("alice", BOTH)
    assert store.find(token) is not None
    store.path.chmod(mode)
    with pytest.raises(Unavailable, match="chmod 600"):
        store.find(token)


def test_a_revoked_key_is_refused_at_once_and_stays_listed(store: KeyStore) -> None:
    """A store that was open before the revocation, in another process, refuses the key at its next look."""
    key, token = store.create("alice", BOTH)
    serving = KeyStore(store.path)
    assert serving.find(token) is not None
    revoked = store.revoke(key.id)
    assert serving.find(token) is None
    assert store.revoke(key.id).revoked_at == revoked.revoked_at
    assert [entry.id for entry in serving.entries()] == [key.id]


def test_keys_made_at_the_same_time_are_all_kept(store: KeyStore) -> None:
    """Twenty at once, each by a store of its own as in a process of its own: none is overwritten."""
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda i: KeyStore(store.path).create(f"owner{i}", BOTH), range(20)))
    assert {key.id for key, _ in made} == {key.id for key in store.entries()}
    assert all(store.find(token) for _, token in made)


def test_a_write_that_fails_leaves_the_old_file(store: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full the keys of before are still there, and no draft is left."""
    key, _ = store.create("alice", BOTH)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("certd.access.key_file.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.create("bob", BOTH)
    assert KeyStore(store.path).entries() == [key]
    assert not list(store.path.parent.glob(".keys.json.*"))


@pytest.mark.parametrize("content", [b"", b"{}", b"[{}]", b"\xff", b'[{"id": "x", "sha256": "secret"}]'])
def test_a_damaged_file_lets_nobody_in_and_is_not_quoted(store: KeyStore, content: bytes) -> None:
    """A file that cannot be read is an error, never an empty list of keys."""
    store.path.write_bytes(content)
    store.path.chmod(0o600)
    with pytest.raises(UnreadableInput) as refusal:
        store.entries()
    assert "secret" not in refusal.value.message


@pytest.mark.parametrize("owner", ["", "Alice", "a b", "../x", "a/b", ".hidden", "a" * 65, "a\n"])
def test_an_owner_is_a_plain_word(store: KeyStore, owner: str) -> None:
    """Owners go into file names, keys and logs, so nothing else is admitted."""
    with pytest.raises(InvalidParameter, match="owner"):
        store.create(owner, BOTH)
    assert not store.path.exists()


def test_a_key_needs_a_scope_and_a_positive_quota(store: KeyStore) -> None:
    """A key that allows nothing, or a quota of nothing, is a slip."""
    with pytest.raises(InvalidParameter, match="scopes"):
        store.create("alice", [])
    with pytest.raises(InvalidParameter, match="max_draws_per_day"):
        store.create("alice", BOTH, max_draws_per_day=0)


def test_an_unknown_key_cannot_be_revoked(store: KeyStore) -> None:
    """The message says where the ids are found."""
    with pytest.raises(NotFound, match="keys list"):
        store.revoke("nonesuch")


def test_what_is_stored_is_the_declared_form(store: KeyStore) -> None:
    """The file is a list of keys in the order they were made, readable by anything that reads JSON."""
    first, _ = store.create("alice", [Scope.READ])
    second, _ = store.create("bob", [Scope.ADMIN], 5)
    document = json.loads(store.path.read_text())
    assert [Key.model_validate(entry) for entry in document] == [first, second]
    assert document[0]["scopes"] == ["read"]
    assert "max_draws_per_day" not in document[0]
