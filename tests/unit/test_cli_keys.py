"""``certd keys`` prints a key once, lists keys without secrets, and revokes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from certd.access import KeyStore, parse_token
from certd.cli import app
from certd.errors import NotFound

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the data folder that the commands work on."""
    monkeypatch.setenv("CERTD_DATA_DIR", str(tmp_path))
    return tmp_path


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["keys", *arguments])


def test_the_key_alone_is_data(data_dir: Path) -> None:
    """Standard output is the key, so that a script can take it; the explanation goes elsewhere."""
    done = _run("create", "alice")
    token = parse_token(done.stdout.strip())
    assert token is not None
    assert KeyStore(data_dir / "keys.json").find(token) is not None
    assert "not be shown again" in " ".join(done.stderr.split())


def test_scopes_and_quota_are_as_asked(data_dir: Path) -> None:
    """The JSON form says what was made, the key included."""
    done = _run("create", "root", "--scope", "admin", "--max-draws-per-day", "1000", "--json")
    made = json.loads(done.stdout)
    assert (made["owner"], made["scopes"], made["max_draws_per_day"]) == ("root", ["admin"], 1000)
    assert parse_token(made["token"]) is not None


def test_no_list_shows_a_secret(data_dir: Path) -> None:
    """Neither the secret nor its digest is in the table or in the JSON."""
    token = parse_token(_run("create", "alice").stdout.strip())
    assert token is not None
    for listed in (_run("list").output, _run("list", "--json").output):
        assert token.key_id in listed
        assert token.secret not in listed
        assert token.digest() not in listed


def test_a_revoked_key_is_marked(data_dir: Path) -> None:
    """Revoking prints whose key it was, and the list keeps it."""
    token = parse_token(_run("create", "alice").stdout.strip())
    assert token is not None
    assert "alice is revoked" in _run("revoke", token.key_id).stdout
    assert json.loads(_run("list", "--json").stdout)["keys"][0]["revoked_at"] is not None


def test_a_slip_is_refused(data_dir: Path) -> None:
    """An unknown scope is a matter of usage; an unknown key is not there."""
    assert _run("create", "alice", "--scope", "god").exit_code == 2
    assert isinstance(_run("revoke", "nonesuch").exception, NotFound)
    assert not (data_dir / "keys.json").exists()
