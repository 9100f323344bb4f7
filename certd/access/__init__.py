"""Who may do what: bearer keys, their scopes, and whose jobs a caller sees. Knows no web framework."""

from certd.access.caller import Caller
from certd.access.key import Key, Scope, make_token, parse_token
from certd.access.session import Session, Sessions
from certd.access.store import KeyStore

__all__ = ["Caller", "Key", "KeyStore", "Scope", "Session", "Sessions", "make_token", "parse_token"]
