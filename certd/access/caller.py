"""A caller: on whose behalf a request is done, and what it may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from certd.access.key import Scope
from certd.errors import Forbidden

if TYPE_CHECKING:
    from certd.access.key import Key


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        owner: Whose jobs and uploads it makes and sees; None where no keys are in use.
        scopes: What it may do.
        key_id: The key it showed, for logs; None where no keys are in use.
        max_draws_per_day: Its own quota; None for the service's.
    """

    owner: str | None
    scopes: frozenset[Scope]
    key_id: str | None = None
    max_draws_per_day: int | None = None

    @classmethod
    def of(cls, key: Key) -> Self:
        """Return the caller that shows ``key``."""
        return cls(key.owner, key.scopes, key.id, key.max_draws_per_day)

    @classmethod
    def local(cls) -> Self:
        """Return the one caller of a service without keys, which only this machine can reach."""
        return cls(None, frozenset({Scope.ADMIN}))

    @property
    def sees_all(self) -> bool:
        """Return whether every owner's jobs are visible."""
        return Scope.ADMIN in self.scopes

    def allows(self, scope: Scope) -> bool:
        """Return whether ``scope`` is granted; ``admin`` grants everything."""
        return self.sees_all or scope in self.scopes

    def require(self, scope: Scope) -> None:
        """Refuse a caller without ``scope``.

        Raises:
            Forbidden: If it is not granted; the message names it.
        """
        if not self.allows(scope):
            granted = ", ".join(sorted(self.scopes))
            raise Forbidden(
                f"This needs a key of scope {scope}; yours has {granted}. "
                f"An operator makes one with `certd keys create OWNER --scope {scope}`.",
                scope=str(scope),
            )

    def may_see(self, owner: str | None) -> bool:
        """Return whether what belongs to ``owner`` exists for this caller."""
        return self.sees_all or (self.owner is not None and owner == self.owner)
