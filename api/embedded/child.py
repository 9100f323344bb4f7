"""A child process that is started again when it dies, and that does not outlive its parent."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

log = structlog.get_logger("api.embedded")

FIRST_BACKOFF_SECONDS = 0.1
LAST_BACKOFF_SECONDS = 5.0
STEADY_SECONDS = 10.0

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class Child:
    """One command under supervision.

    Args:
        name: What logs call it.
        command: Program and arguments.
        folder: Working directory.
        environment: Its whole environment.
        patience_seconds: How long a stop may take before it is killed.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        patience_seconds: float = 30.0,
    ) -> None:
        self.name = name
        self._command = list(command)
        self._folder = folder
        self._environment = dict(environment)
        self._patience_seconds = patience_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._backoff_seconds = FIRST_BACKOFF_SECONDS

    def keep_alive(self) -> None:
        """Start the command if it does not run and its pause is over."""
        if self._process is not None:
            if self._process.poll() is None:
                return
            self._note_death(self._process.returncode)
        if time.monotonic() >= self._started_at + self._pause_seconds():
            self._start()

    def stop(self) -> None:
        """Ask the command to end, and kill it when it takes too long."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(self._patience_seconds)
        except subprocess.TimeoutExpired:
            log.warning("child_killed", child=self.name, patience_seconds=self._patience_seconds)
            self._process.kill()
            self._process.wait()
        self._process = None

    def _start(self) -> None:
        # Only async-signal-safe work between fork and exec: one system call.
        self._process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            preexec_fn=_die_with_parent,  # noqa: PLW1509
        )
        self._started_at = time.monotonic()

    def _note_death(self, code: int) -> None:
        lived = time.monotonic() - self._started_at
        self._process = None
        steady = lived > STEADY_SECONDS
        self._backoff_seconds = (
            FIRST_BACKOFF_SECONDS if steady else min(2 * self._backoff_seconds, LAST_BACKOFF_SECONDS)
        )
        log.warning("child_died", child=self.name, code=code, lived_seconds=round(lived, 1))

    def _pause_seconds(self) -> float:
        return self._backoff_seconds if self._started_at else 0.0


def _die_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
