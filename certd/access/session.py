"""Sessions: a browser shows a key once and a signed cookie afterwards."""

from __future__ import annotations

import hmac
import secrets
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from certd.errors import Unavailable

if TYPE_CHECKING:
    from redis import Redis

    from certd.access.key import Key
    from certd.access.store import KeyStore

SESSION_SECONDS = 12 * 3600
SECRET_NAME = "certd:session-secret"  # noqa: S105 - the name under which it is kept
MAX_COOKIE = 256


@dataclass(frozen=True, slots=True)
class Session:
    """What a valid cookie says.

    Attributes:
        key: On whose behalf; it is not revoked.
        cookie: The cookie itself.
    """

    key: Key
    cookie: str


class Sessions:
    """Signs cookies and reads them.

    A cookie names a key and an instant, under a MAC; it holds no part of the key's secret, ends with the key,
    and is worth nothing elsewhere. The MAC's secret is random and lies in the queue's server, where all API
    processes find the same: losing it signs everybody out and does no other harm.

    Args:
        store: The keys.
        redis: Where the secret is kept.
    """

    def __init__(self, store: KeyStore, redis: Redis) -> None:
        self._store = store
        self._redis = redis
        self._secret: bytes | None = None

    def begin(self, key: Key) -> str:
        """Return a cookie for the holder of ``key``."""
        text = f"{key.id}.{int(time.time()) + SESSION_SECONDS}"
        return f"{text}.{self._mac(text, self._read_secret())}"

    def find(self, cookie: str) -> Session | None:
        """Return the session of a cookie; None if it is forged, too old, or its key was revoked."""
        text, _, shown = cookie[:MAX_COOKIE].rpartition(".")
        key_id, _, until = text.partition(".")
        if not (until.isascii() and until.isdecimal() and len(until) <= 12 and shown.isascii()):
            return None
        if not self._is_ours(text, shown) or int(until) < time.time():
            return None
        found = {key.id: key for key in self._store.entries()}.get(key_id)
        return None if found is None or found.revoked_at is not None else Session(found, cookie)

    def form_token(self, cookie: str) -> str:
        """Return what every form of a session carries, and no page of another site can know."""
        return self._mac(f"form:{cookie}", self._read_secret())

    def accepts_form(self, cookie: str, token: str) -> bool:
        """Return whether a form came from a page of this session."""
        return token.isascii() and self._is_ours(f"form:{cookie}", token)

    def _is_ours(self, text: str, shown: str) -> bool:
        if hmac.compare_digest(self._mac(text, self._read_secret()), shown):
            return True
        # Another process may have made a new secret after the old one was lost.
        self._secret = None
        return hmac.compare_digest(self._mac(text, self._read_secret()), shown)

    def _read_secret(self) -> bytes:
        if self._secret is None:
            fresh = secrets.token_hex(32)
            found = fresh if self._redis.set(SECRET_NAME, fresh, nx=True) else self._redis.get(SECRET_NAME)
            if not found:
                raise Unavailable("The queue forgot the secret of sessions just now; try again.")
            self._secret = str(found).encode()
        return self._secret

    @staticmethod
    def _mac(text: str, secret: bytes) -> str:
        return hmac.new(secret, text.encode(), sha256).hexdigest()
