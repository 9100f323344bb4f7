"""Looks at the door: who may come in, and whether the keys are kept well."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from certd.access import KeyStore
from certd.access.door import is_loopback, require_keys_beyond_loopback
from certd.cli.doctor.finding import broken, doubtful, fine
from certd.errors import CertdError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certd.cli.doctor.finding import Finding
    from certd.settings import Settings

PART = "keys"
READABLE_BY_OTHERS = 0o077


def look_at_door(settings: Settings) -> Iterator[Finding]:
    """Read the key file as the service does."""
    store = KeyStore(settings.key_file)
    try:
        require_keys_beyond_loopback(settings.host, store)
        valid = [key for key in store.entries() if key.revoked_at is None]
    except CertdError as error:
        yield broken(PART, error.message, "The API will not serve before this is mended.")
        return
    if not store.entries():
        yield fine(
            PART, f"none; {settings.host} is reached from this machine alone, and everyone on it is admin"
        )
        return
    yield _count(len(valid), settings)
    if stat.S_IMODE(store.path.stat().st_mode) & READABLE_BY_OTHERS:
        yield doubtful(
            PART, f"others may read {store.path}", f"chmod 600 {store.path}; it holds digests only."
        )


def _count(num_valid: int, settings: Settings) -> Finding:
    if not num_valid:
        return doubtful(PART, "all are revoked; nobody gets in", "Make one with `certd keys create OWNER`.")
    reach = "this machine alone" if is_loopback(settings.host) else "other machines"
    return fine(PART, f"{num_valid} valid; {settings.host} is reached from {reach}")
