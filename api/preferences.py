"""What a client asks for in headers: to wait, and not to be told again what it knows."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.schemas import JobView

MAX_WAIT_SECONDS = 60
POLL_SECONDS = 1
LONGEST_POLL_SECONDS = 30
_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,6})(?:$|[,;\s])")


def wait_seconds(prefer: str | None) -> int:
    """Return N of ``Prefer: wait=N``, at most ``MAX_WAIT_SECONDS``; 0 where nothing of the kind is preferred.

    References:
        RFC 7240, section 4.3.
    """
    found = _WAIT.search(prefer or "")
    return 0 if found is None else min(MAX_WAIT_SECONDS, int(found[1]))


def entity_tag(view: JobView) -> str:
    """Return the tag of a job's state; the clock alone does not change it."""
    progress = {"images_per_second", "eta_seconds"}
    text = view.model_dump_json(exclude={"progress": progress})
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def response_headers(view: JobView) -> dict[str, str]:
    """Return the headers of a job's state; while it runs, ``Retry-After`` says when to ask again."""
    headers = {"ETag": entity_tag(view)}
    if not view.status.terminal:
        eta = view.progress.eta_seconds
        pause = POLL_SECONDS if eta is None else min(LONGEST_POLL_SECONDS, max(POLL_SECONDS, round(eta / 10)))
        headers["Retry-After"] = str(pause)
    return headers


def matches(if_none_match: str | None, tag: str) -> bool:
    """Return whether a client knows what has ``tag``.

    References:
        RFC 9110, section 13.1.2.
    """
    if if_none_match is None:
        return False
    known = {one.strip().removeprefix("W/") for one in if_none_match.split(",")}
    return "*" in known or tag in known
