"""Ctrl-C, taken where it can be: between two batches."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Remember Ctrl-C, and raise it where the work asks for it.

    Python raises KeyboardInterrupt in whatever line is running. Where an extension called that line, it may
    drop the exception, and the work goes on as if nothing had been typed. A second Ctrl-C does not wait.

    Yields:
        What to call often; raises ``KeyboardInterrupt`` once Ctrl-C was typed, as leaving the block does.
    """
    asked = False

    def remember(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    def check() -> None:
        if asked:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield check
        check()
    finally:
        signal.signal(signal.SIGINT, before)
