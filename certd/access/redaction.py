"""Addresses as they may be printed."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

SECRET_OPTIONS = frozenset({"password", "username"})


def without_password(url: str) -> str:
    """Return ``url`` with whatever names a user or a password struck out; what is no URL is not shown."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an unreadable address"
    _, credentials, place = parts.netloc.rpartition("@")
    options = [
        (name, "***" if name.lower() in SECRET_OPTIONS else value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    ]
    netloc = f"***@{place}" if credentials else place
    query = urlencode(options, safe="*/:")
    return f"{parts.scheme}://{netloc}{parts.path}" + (f"?{query}" if query else "")
