"""The door: which requests come in, on whose behalf, and with which scope."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from certd.access.caller import Caller
from certd.access.key import Scope, parse_token
from certd.errors import Forbidden, InvalidParameter, Unauthorized

if TYPE_CHECKING:
    from certd.access.store import KeyStore

OPEN_PATHS = frozenset({"/livez", "/readyz", "/openapi.json", "/sign-in", "/sign-out"})
STATIC = "/static/"
READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
READING_POSTS = frozenset({"/v1/estimate", "/v1/sweeps/estimate"})


def require_keys_beyond_loopback(host: str, store: KeyStore) -> None:
    """Refuse to serve other machines without keys.

    Raises:
        InvalidParameter: If ``host`` is more than this machine's own and there are no keys.
    """
    if not (is_loopback(host) or store.entries()):
        raise InvalidParameter(
            f"CERTD_HOST={host} lets other machines in, and there are no keys. Make one with "
            f"`certd keys create OWNER --scope admin` (it is kept in {store.path}), or bind 127.0.0.1."
        )


def is_loopback(host: str) -> bool:
    """Return whether an address, or the name ``localhost``, is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def needed_scope(method: str, path: str) -> Scope:
    """Return what a request needs: looking takes ``read``, everything else ``submit``."""
    reads = method in READING_METHODS or (method == "POST" and path.rstrip("/") in READING_POSTS)
    return Scope.READ if reads else Scope.SUBMIT


def is_open(path: str) -> bool:
    """Return whether a path answers everybody: probes, the door itself, and what it is painted with."""
    return path in OPEN_PATHS or path.startswith(STATIC)


def cookie_counts(method: str, path: str) -> bool:
    """Return whether a browser's cookie says who asks.

    For looking, it does. Whatever changes something through ``/v1`` takes a key, which no browser sends by
    itself; the pages' own forms carry a token beside the cookie.
    """
    return method in {"GET", "HEAD"} or not path.startswith("/v1/")


class Door:
    """Lets requests in.

    Closed from the first key on, and closed for good then: a key file that is emptied or deleted afterwards
    lets nobody in, rather than everybody.

    Args:
        store: The keys.
    """

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._closed = False

    def admit(self, authorization: str | None, host: str | None, origin: str | None) -> Caller:
        """Return on whose behalf a request comes.

        Args:
            authorization: The header of that name.
            host: The header of that name; it matters only without keys.
            origin: The header of that name; it matters only without keys.

        Raises:
            Unauthorized: If there are keys and the request shows none of them.
            Forbidden: If there are no keys and a web page elsewhere made the request.
        """
        self._closed = self._closed or bool(self._store.entries())
        if not self._closed:
            _refuse_foreign_pages(host or "", origin)
            return Caller.local()
        if authorization is None:
            raise Unauthorized("This service needs a key: send `Authorization: Bearer certd_...`.")
        scheme, _, text = authorization.partition(" ")
        token = parse_token(text.strip()) if scheme.lower() == "bearer" else None
        key = None if token is None else self._store.find(token)
        if key is None:
            raise Unauthorized("The key is not valid here: it is malformed, unknown or revoked.", shown=True)
        return Caller.of(key)


def _refuse_foreign_pages(host: str, origin: str | None) -> None:
    """Refuse what a browser sends for a page of another site.

    A page may post to loopback from any site, and one that has its own name resolve to 127.0.0.1 may read
    the answers too. The first says so in ``Origin``; the second needs a name with a dot in ``Host``.
    """
    name = _name_of(host)
    if "." in name and not _is_address(name):
        raise Forbidden(f"Without keys this service answers under addresses and local names, not {name!r}.")
    if origin is not None and origin.partition("://")[2] != host:
        raise Forbidden("Without keys this service answers no page of another site.")


def _name_of(host: str) -> str:
    return host if host.startswith("[") else host.partition(":")[0].rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
