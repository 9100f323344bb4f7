"""Where a data set lies: ``scheme:path?option=value``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from certd.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class DatasetUri:
    """A data set on this machine.

    Attributes:
        scheme: The format.
        path: File or folder; for ``torchvision`` the name of the set.
        options: What follows the question mark.
    """

    scheme: str
    path: str
    options: Mapping[str, str]

    @classmethod
    def parse(cls, uri: str) -> DatasetUri:
        """Read ``scheme:path?option=value&...``.

        Raises:
            InvalidParameter: If there is no scheme or path, or an option is malformed or given twice.
        """
        scheme, _, rest = uri.partition(":")
        path, _, query = rest.partition("?")
        if not scheme or not path:
            raise InvalidParameter(f"{uri!r} is no data set; write scheme:path, such as npz:images.npz.")
        try:
            pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
        except ValueError as error:
            raise InvalidParameter(f"{uri!r} needs options as ?name=value&name=value.") from error
        options = dict(pairs)
        if len(options) != len(pairs):
            raise InvalidParameter(f"{uri!r} gives an option twice.")
        return cls(scheme, path, options)

    def allow(self, *names: str) -> None:
        """Refuse options other than ``names``: a misspelt one must not be a default.

        Raises:
            InvalidParameter: If there is another option.
        """
        unknown = sorted(self.options.keys() - set(names))
        if unknown:
            known = ", ".join(names) or "none"
            raise InvalidParameter(f"{self.scheme}: has no option {unknown[0]!r}; there are {known}.")

    def integer(self, name: str) -> int | None:
        """Return an option as a positive integer; None if it is absent.

        Raises:
            InvalidParameter: If it is anything else.
        """
        text = self.options.get(name)
        if text is None:
            return None
        if not (text.isascii() and text.isdecimal() and int(text) >= 1):
            raise InvalidParameter(f"{name} must be a positive integer, not {text!r}.")
        return int(text)

    def choice(self, name: str, *values: str) -> str:
        """Return an option that is one of ``values``; the first of them if it is absent.

        Raises:
            InvalidParameter: If it is anything else.
        """
        value = self.options.get(name, values[0])
        if value not in values:
            raise InvalidParameter(f"{name} must be one of {', '.join(values)}, not {value!r}.")
        return value
