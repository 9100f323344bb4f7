"""How much an owner may hold in uploads at a time.

Redis keeps what each owner holds, and until when. When it has lost that, it is read again from the store.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from certd.errors import QuotaExceeded, TooLarge
from certd.jobs import keys
from certd.jobs.uploads import LIFETIME_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from certd.jobs.uploads import Upload, UploadStore

NOBODY = "-"
LEAST_BYTES = 2**20
"""What a smaller upload counts as: many small files fill a disk too, and are slow to list."""
DRAFT_SECONDS = 3600.0
RETRY_SECONDS = 3600

# Two uploads at once must not both fit into the last gap, so the sum is looked at and raised in one step.
_RESERVE = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
local held = 0
for _, each in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  held = held + tonumber(string.match(each, '%d+$'))
end
if held + tonumber(ARGV[2]) > tonumber(ARGV[3]) then return string.format('%.0f', held) end
redis.call('ZADD', KEYS[1], ARGV[4], ARGV[5])
return false
"""


class UploadQuota:
    """Bytes of uploads that each owner may hold.

    Args:
        redis: Where it is kept who holds what.
        uploads: All that there are, of every owner.
        max_bytes: The limit of each owner.
    """

    def __init__(self, redis: Redis, uploads: UploadStore, max_bytes: int) -> None:
        self._redis = redis
        self._uploads = uploads
        self._max_bytes = max_bytes

    @contextmanager
    def reserved(self, owner: str | None, size: int) -> Iterator[None]:
        """Keep room for ``size`` bytes while an upload comes in.

        Raises:
            TooLarge: If an owner may never hold so many.
            QuotaExceeded: If this one holds too many already.
        """
        self._require_possible(size)
        self._recount(owner)
        name, now = _name(owner), time.time()
        draft = _member(uuid4().hex, size)
        asked = max(size, LEAST_BYTES)
        held = self._redis.eval(_RESERVE, 1, name, now, asked, self._max_bytes, now + DRAFT_SECONDS, draft)
        if held is not None:
            raise self._exceeded(int(held), asked)
        try:
            yield
        finally:
            self._redis.zrem(name, draft)

    def add(self, upload: Upload) -> None:
        """Count an upload until it expires."""
        self._redis.zadd(_name(upload.owner), {_member(upload.id, upload.size): upload.expires_at})

    def remove(self, upload: Upload) -> None:
        """Count an upload no longer: it was deleted."""
        self._redis.zrem(_name(upload.owner), _member(upload.id, upload.size))

    def _recount(self, owner: str | None) -> None:
        if self._redis.exists(_name(owner)):
            return
        held = {
            _member(each.id, each.size): each.expires_at
            for each in self._uploads.everything()
            if each.owner == owner
        }
        self._redis.zadd(_name(owner), {**held, "counted 0": time.time() + LIFETIME_SECONDS})

    def _require_possible(self, size: int) -> None:
        if size > self._max_bytes:
            raise TooLarge(
                f"This upload takes {size:,} bytes; all uploads of an owner may take {self._max_bytes:,}. "
                "Send the images in smaller files.",
                max_upload_bytes=self._max_bytes,
            )

    def _exceeded(self, held: int, asked: int) -> QuotaExceeded:
        return QuotaExceeded(
            f"Of {self._max_bytes:,} bytes of uploads, {held:,} are held and this one counts as {asked:,}. "
            "Delete some under /v1/uploads, or wait: each is kept for a day.",
            max_upload_bytes=self._max_bytes,
            upload_bytes_held=held,
            upload_bytes_asked=asked,
            retry_after_seconds=RETRY_SECONDS,
        )


def _name(owner: str | None) -> str:
    return keys.uploads(owner or NOBODY)


def _member(upload_id: str, size: int) -> str:
    return f"{upload_id} {max(size, LEAST_BYTES)}"
