"""The pulse: says, every two seconds, that this worker lives and what it has in hand."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from certd._version import __version__
from certd.jobs.workforce import BEAT_SECONDS, WorkerState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from certd.jobs.workforce import Workforce


class Pulse:
    """A thread that beats until it is stopped.

    The claim on a shard is renewed by the same beat, so that after Redis has lost everything the shards in
    hand are known again before anyone sends them a second time.
    """

    def __init__(
        self, workforce: Workforce, worker_id: str, device: str, on_beat: Callable[[], None] = lambda: None
    ) -> None:
        self._workforce = workforce
        self._on_beat = on_beat
        now = time.time()
        self._state = WorkerState(worker_id, device, started_at=now, seen_at=now, version=__version__)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat_until_stopped, name="pulse", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Stop beating and take leave."""
        self._stopped.set()
        self._thread.join()
        with suppress(RedisError):
            self._workforce.leave(self._state.worker_id)

    def claimed_elsewhere(self, job_id: str, shard: int) -> bool:
        """Return whether another live worker has a shard in hand."""
        return any(
            (worker.job_id, worker.shard) == (job_id, shard)
            for worker in self._workforce.workers()
            if worker.worker_id != self._state.worker_id
        )

    @property
    def busy(self) -> bool:
        """Return whether a shard is in hand here."""
        return self._state.job_id is not None

    @contextmanager
    def holding(self, job_id: str, shard: int) -> Iterator[None]:
        """Claim a shard for the duration of a block."""
        self._say(job_id, shard)
        try:
            yield
        finally:
            self._say(None, None)

    def _say(self, job_id: str | None, shard: int | None) -> None:
        self._state = replace(self._state, job_id=job_id, shard=shard)
        self._beat()

    def _beat(self) -> None:
        # Without a server there is nobody to tell; the next beat tells it.
        with suppress(RedisError):
            self._workforce.beat(replace(self._state, seen_at=time.time()))
            self._on_beat()

    def _beat_until_stopped(self) -> None:
        self._beat()
        while not self._stopped.wait(BEAT_SECONDS):
            self._beat()
