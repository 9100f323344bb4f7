"""The keys of a service: found, made and revoked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError

from certd.access.key import Key, Scope, Token, make_token
from certd.access.key_file import changing, read_keys, write_keys
from certd.errors import InvalidParameter, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# What an unknown id is compared with, so that it takes as long as a known one.
_NOBODY = Key(
    id="0" * 12,
    owner="nobody",
    scopes=frozenset({Scope.READ}),
    sha256="0" * 64,
    created_at=datetime.fromtimestamp(0, UTC),
)


class KeyStore:
    """The key file, read again whenever it has changed: a revoked key is refused at the next request.

    Args:
        path: The file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._version: tuple[int, ...] | None = None
        self._known: dict[str, Key] = {}

    def entries(self) -> list[Key]:
        """Return all keys, revoked ones too, in the order they were made.

        Raises:
            Unavailable: If others than the file's owner may write it.
            UnreadableInput: If the file is damaged.
        """
        self._refresh()
        return list(self._known.values())

    def find(self, token: Token) -> Key | None:
        """Return the valid key that ``token`` is, or None; which of its parts is wrong is not told."""
        self._refresh()
        key = self._known.get(token.key_id)
        matches = (key or _NOBODY).opens_for(token)
        return key if matches else None

    def create(
        self, owner: str, scopes: Iterable[Scope], max_draws_per_day: int | None = None
    ) -> tuple[Key, Token]:
        """Make and store a key, and return it with the token that will not be seen again.

        Args:
            owner: Whose jobs it makes and sees: lower-case letters, digits, dots, dashes, underscores.
            scopes: What it allows, at least one.
            max_draws_per_day: A quota of its own in noise draws; None for the service's.

        Raises:
            InvalidParameter: If an argument lies outside its domain.
        """
        token = make_token()
        key = _valid_key(token, owner, frozenset(scopes), max_draws_per_day)
        with changing(self.path):
            write_keys(self.path, [*self.entries(), key])
        return key, token

    def revoke(self, key_id: str) -> Key:
        """Make a key useless from now on; it stays in the list. Revoking it again changes nothing.

        Raises:
            NotFound: If there is no such key.
        """
        with changing(self.path):
            known = {key.id: key for key in self.entries()}
            if key_id not in known:
                raise NotFound(f"There is no key {key_id!r}; `certd keys list` shows those that exist.")
            if known[key_id].revoked_at is None:
                known[key_id] = known[key_id].model_copy(update={"revoked_at": datetime.now(UTC)})
                write_keys(self.path, known.values())
        return known[key_id]

    def _refresh(self) -> None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            self._version, self._known = None, {}
            return
        # A changed mode counts too: it may have opened the file to others.
        version = (found.st_mtime_ns, found.st_ino, found.st_size, found.st_mode)
        if version != self._version:
            self._known = {key.id: key for key in read_keys(self.path)}
            self._version = version


def _valid_key(token: Token, owner: str, scopes: frozenset[Scope], max_draws_per_day: int | None) -> Key:
    try:
        return Key(
            id=token.key_id,
            owner=owner,
            scopes=scopes,
            sha256=token.digest(),
            created_at=datetime.now(UTC),
            max_draws_per_day=max_draws_per_day,
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InvalidParameter(f"A key's {first['loc'][0]} is outside its domain: {first['msg']}.") from None
