"""A bearer key: ``certd_<id>_<secret>``, of which only a digest of the secret is kept."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hmac import compare_digest

from pydantic import BaseModel, ConfigDict, Field

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
ID_LENGTH = 12
SECRET_LENGTH = 52
"""Of 32 letters: 260 random bits, so a plain SHA-256 cannot be searched and needs no slow hash."""
OWNER_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"

_TOKEN = re.compile(rf"certd_([{ALPHABET}]{{{ID_LENGTH}}})_([{ALPHABET}]{{{SECRET_LENGTH}}})")


class Scope(StrEnum):
    """What a key allows."""

    READ = "read"
    SUBMIT = "submit"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Token:
    """The two parts of a key as its holder sends it. It is shown once and never printed again."""

    key_id: str
    secret: str

    def __repr__(self) -> str:
        return f"Token({self.key_id!r}, secret withheld)"

    def text(self) -> str:
        """Return the key as it is sent."""
        return f"certd_{self.key_id}_{self.secret}"

    def digest(self) -> str:
        """Return the SHA-256 of the secret, in hexadecimal."""
        return hashlib.sha256(self.secret.encode()).hexdigest()


class Key(BaseModel):
    """A key as it is kept.

    Keys of one ``owner`` see the same jobs and share one quota, so that a key can be replaced without losing
    anything: make the new one, then revoke the old one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=rf"^[{ALPHABET}]{{{ID_LENGTH}}}$")
    owner: str = Field(pattern=OWNER_PATTERN)
    scopes: frozenset[Scope] = Field(min_length=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False)
    created_at: datetime
    revoked_at: datetime | None = None
    max_draws_per_day: int | None = Field(default=None, ge=1)

    def opens_for(self, token: Token) -> bool:
        """Return whether ``token`` is this key and it is not revoked; takes the same time either way."""
        return compare_digest(self.sha256, token.digest()) and self.revoked_at is None


def make_token() -> Token:
    """Return a fresh token from the system's randomness."""
    return Token(_letters(ID_LENGTH), _letters(SECRET_LENGTH))


def parse_token(text: str) -> Token | None:
    """Read ``certd_<id>_<secret>``; None for anything else."""
    found = _TOKEN.fullmatch(text)
    return None if found is None else Token(found[1], found[2])


def _letters(count: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(count))
