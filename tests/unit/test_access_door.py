"""The door: closed from the first key on, and shut to pages of other sites before that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from certd.access import Caller, KeyStore, Scope
from certd.access.door import Door, is_loopback, needed_scope, require_keys_beyond_loopback
from certd.access.redaction import without_password
from certd.errors import Forbidden, InvalidParameter, Unauthorized

if TYPE_CHECKING:
    from pathlib import Path

READ = frozenset({Scope.READ})


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    """Return a store without a file."""
    return KeyStore(tmp_path / "keys.json")


def test_without_keys_everybody_on_the_machine_is_admin(store: KeyStore) -> None:
    """No key is asked for, and every job is visible."""
    caller = Door(store).admit(None, "127.0.0.1:8000", None)
    assert caller == Caller.local()
    assert caller.may_see("anyone")
    assert caller.may_see(None)


def test_with_a_key_the_door_is_closed(store: KeyStore) -> None:
    """The first key closes a door that stood open, without a restart."""
    door = Door(store)
    assert door.admit(None, "localhost", None).sees_all
    key, token = store.create("alice", READ)
    with pytest.raises(Unauthorized):
        door.admit(None, "localhost", None)
    caller = door.admit(f"Bearer {token.text()}", "anything.example", "https://elsewhere.example")
    assert (caller.owner, caller.key_id) == ("alice", key.id)


@pytest.mark.parametrize("lost", ["deleted", "revoked"])
def test_a_closed_door_never_opens_again(store: KeyStore, lost: str) -> None:
    """When the key file vanishes, or its last key is revoked, nobody gets in, rather than everybody."""
    key, token = store.create("alice", READ)
    door = Door(store)
    door.admit(f"Bearer {token.text()}", None, None)
    if lost == "deleted":
        store.path.unlink()
    else:
        store.revoke(key.id)
    for shown in (None, f"Bearer {token.text()}"):
        with pytest.raises(Unauthorized):
            door.admit(shown, "localhost", None)


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer ", "Basic {}", "{}", "Bearer {}x", "Bearer x {}"])
def test_another_form_of_key_is_refused(store: KeyStore, shown: str) -> None:
    """The scheme is Bearer and the key is whole."""
    _, token = store.create("alice", READ)
    with pytest.raises(Unauthorized):
        Door(store).admit(shown.format(token.text()), None, None)


def test_the_scheme_may_be_written_in_any_case(store: KeyStore) -> None:
    """RFC 9110 section 11.1: schemes are case-insensitive."""
    _, token = store.create("alice", READ)
    assert Door(store).admit(f"bearer  {token.text()}", None, None).owner == "alice"


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "api", "192.168.0.7:80"])
def test_local_names_and_addresses_are_answered(store: KeyStore, host: str) -> None:
    """A name that no site on the internet can have, or an address, cannot come from a rebound name."""
    assert Door(store).admit(None, host, f"http://{host}").sees_all


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("attacker.example:8000", None),
        ("attacker.example.", None),
        ("127.0.0.1.attacker.example", None),
        ("localhost:8000", "https://attacker.example"),
        ("localhost:8000", "http://localhost:9000"),
        ("localhost:8000", "null"),
    ],
)
def test_without_keys_no_foreign_page_is_answered(store: KeyStore, host: str, origin: str | None) -> None:
    """Neither a page of another site nor a name that was made to resolve to loopback gets in."""
    with pytest.raises(Forbidden):
        Door(store).admit(None, host, origin)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org", ""])  # noqa: S104
def test_other_machines_need_keys(store: KeyStore, host: str) -> None:
    """Without keys nothing but loopback is bound, and the message says how to make one."""
    with pytest.raises(InvalidParameter, match="certd keys create"):
        require_keys_beyond_loopback(host, store)
    store.create("alice", READ)
    require_keys_beyond_loopback(host, store)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_loopback_needs_none(store: KeyStore, host: str) -> None:
    """The machine's own addresses are bound without keys."""
    assert is_loopback(host)
    require_keys_beyond_loopback(host, store)


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/v1/jobs", Scope.READ),
        ("HEAD", "/v1/jobs/job_x", Scope.READ),
        ("POST", "/v1/estimate", Scope.READ),
        ("POST", "/v1/sweeps/estimate", Scope.READ),
        ("POST", "/v1/sweeps", Scope.SUBMIT),
        ("POST", "/submit/sweep", Scope.SUBMIT),
        ("POST", "/v1/jobs", Scope.SUBMIT),
        ("POST", "/v1/jobs/job_x/cancel", Scope.SUBMIT),
        ("DELETE", "/v1/jobs/job_x", Scope.SUBMIT),
        ("BREW", "/v1/jobs", Scope.SUBMIT),
    ],
)
def test_looking_takes_read_and_all_else_submit(method: str, path: str, scope: Scope) -> None:
    """An unknown method is taken for one that changes something."""
    assert needed_scope(method, path) == scope


def test_a_missing_scope_is_named() -> None:
    """The refusal says which scope is needed and how to get a key that has it."""
    caller = Caller("alice", READ)
    caller.require(Scope.READ)
    with pytest.raises(Forbidden, match=r"scope submit.*yours has read"):
        caller.require(Scope.SUBMIT)
    Caller("root", frozenset({Scope.ADMIN})).require(Scope.SUBMIT)


def test_a_caller_sees_its_owner_s_and_nobody_else_s() -> None:
    """Jobs of other owners, and those made before there were keys, are not there."""
    alice = Caller("alice", READ)
    assert alice.may_see("alice")
    assert not alice.may_see("bob")
    assert not alice.may_see(None)
    assert not Caller(None, READ).may_see(None)


@pytest.mark.parametrize(
    ("url", "printed"),
    [
        ("redis://:hunter2@db:6379/0", "redis://***@db:6379/0"),
        ("rediss://user:hunter2@[::1]:6379", "rediss://***@[::1]:6379"),
        ("redis://a:b@hunter2@db", "redis://***@db"),
        ("unix:///run/x.sock?db=0", "unix:///run/x.sock?db=0"),
        ("unix:///run/x.sock?password=hunter2&db=1", "unix:///run/x.sock?password=***&db=1"),
        ("redis://[hunter2", "an unreadable address"),
    ],
)
def test_an_address_is_printed_without_its_password(url: str, printed: str) -> None:
    """Neither user nor password survives, wherever they stand."""
    assert without_password(url) == printed
