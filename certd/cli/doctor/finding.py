"""A finding: what was looked at, how it is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How a part is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found.

    Attributes:
        part: What was looked at, in a word or two.
        health: How it is; only ``failed`` makes the command fail.
        detail: What was seen.
        advice: What to do, where something should be done.
    """

    part: str
    health: Health
    detail: str
    advice: str | None = None


def fine(part: str, detail: str) -> Finding:
    """Return that a part is in order."""
    return Finding(part, Health.OK, detail)


def doubtful(part: str, detail: str, advice: str) -> Finding:
    """Return that a part works, and might work better."""
    return Finding(part, Health.WARNING, detail, advice)


def broken(part: str, detail: str, advice: str) -> Finding:
    """Return that a part must be mended first."""
    return Finding(part, Health.FAILED, detail, advice)
