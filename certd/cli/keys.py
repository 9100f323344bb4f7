"""``certd keys``: make, list and revoke the keys of a service on this machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from certd.access import Key, KeyStore, Scope
from certd.cli.options import AsJson
from certd.settings import load_settings

app = typer.Typer(help="Make, list and revoke the keys of a service.", no_args_is_help=True)

Owner = Annotated[str, typer.Argument(help="Whose jobs the key makes and sees; keys may share an owner.")]
KeyId = Annotated[str, typer.Argument(help="The id of a key, as `certd keys list` shows it.")]
Scopes = Annotated[
    list[Scope], typer.Option("--scope", help="read, submit or admin; may be given several times.")
]
DrawsPerDay = Annotated[
    int | None, typer.Option("--max-draws-per-day", help="Noise draws a day; by default the service's limit.")
]
File = Annotated[Path | None, typer.Option("--file", help="The key file; by default that of CERTD_DATA_DIR.")]


@app.command("create")
def create(
    owner: Owner,
    scope: Scopes = [Scope.READ, Scope.SUBMIT],  # noqa: B006 - typer copies a default
    max_draws_per_day: DrawsPerDay = None,
    file: File = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, once: only a digest of it is stored."""
    key, token = _store(file).create(owner, scope, max_draws_per_day)
    if as_json:
        print(json.dumps({**_row(key), "token": token.text()}, indent=2))
        return
    print(token.text())
    sys.stderr.write(
        f"This key of {key.owner} may {' and '.join(sorted(key.scopes))}. It is not stored and will not be "
        "shown again.\nSend it as `Authorization: Bearer certd_...`.\n"
    )


@app.command("list")
def list_keys(file: File = None, as_json: AsJson = False) -> None:
    """List the keys, revoked ones too; their secrets are not kept anywhere."""
    rows = [_row(key) for key in _store(file).entries()]
    if as_json:
        print(json.dumps({"keys": rows}, indent=2))
        return
    table = Table("id", "owner", "scopes", "draws a day", "created", "revoked", box=None)
    for row in rows:
        table.add_row(
            row["id"],
            row["owner"],
            ", ".join(row["scopes"]),
            "" if row["max_draws_per_day"] is None else f"{row['max_draws_per_day']:,}",
            row["created_at"][:10],
            (row["revoked_at"] or "")[:10],
        )
    Console().print(table)


@app.command("revoke")
def revoke(key_id: KeyId, file: File = None, as_json: AsJson = False) -> None:
    """Make a key useless; a running service refuses it at its next request."""
    key = _store(file).revoke(key_id)
    print(json.dumps(_row(key), indent=2) if as_json else f"{key.id} of {key.owner} is revoked")


def _store(file: Path | None) -> KeyStore:
    return KeyStore(file or load_settings().key_file)


def _row(key: Key) -> dict[str, Any]:
    row: dict[str, Any] = key.model_dump(mode="json", exclude={"sha256"})
    return row | {"scopes": sorted(key.scopes)}
