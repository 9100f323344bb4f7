"""The stack: server first, then workers; stopped in the opposite order."""

from __future__ import annotations

import fcntl
import os
import sys
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from api.embedded import valkey
from api.embedded.child import Child
from certd.access.redaction import without_password
from certd.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from certd.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[2]
START_SECONDS = 20.0
LOOK_SECONDS = 0.05


class EmbeddedStack:
    """A server and workers for one data folder.

    All children are started by one thread that lives as long as they do, because the kernel ends a child when
    the *thread* that made it ends.

    Args:
        settings: Where the data folder lies; a ``redis_url`` in it is used instead of an own server.
        num_workers: Worker processes.
    """

    def __init__(self, settings: Settings, num_workers: int) -> None:
        self._data_dir = settings.data_dir.resolve()
        self._store = settings.store
        self._num_workers = num_workers
        self._lock: IO[str] | None = None
        self._own_server = settings.redis_url is None
        self._adopted = False
        self.redis_url = settings.redis_url or ""
        self._children: list[Child] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="supervisor")

    def start(self) -> None:
        """Start the server, wait until it answers, then start the workers.

        Raises:
            Conflict: If another stack uses the data folder.
            Unavailable: If the server does not come up.
        """
        self._data_dir.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        if self._own_server:
            self.redis_url = valkey.server_url(self._data_dir)
            # A server outlives a killed parent where the kernel does not end it; its data are ours.
            self._adopted = valkey.answers(self.redis_url)
            if not self._adopted:
                self._children.append(valkey.server_child(self._data_dir))
        self._thread.start()
        self._wait_for_server()
        self._children.extend(self._worker(i) for i in range(self._num_workers))

    def stop(self) -> None:
        """Stop the workers, each after the shard in hand, then the server."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._adopted:
            valkey.shut_down(self.redis_url)
        if self._lock is not None:
            self._lock.close()

    def _take_lock(self) -> None:
        self._lock = (self._data_dir / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                f"Another certd uses {self._data_dir}. Stop it, or set CERTD_DATA_DIR to another folder."
            ) from None

    def _wait_for_server(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not valkey.answers(self.redis_url):
            if time.monotonic() > deadline:
                place = without_password(self.redis_url)
                raise Unavailable(f"The server at {place} did not answer in {START_SECONDS:g} s.")
            time.sleep(LOOK_SECONDS)

    def _worker(self, index: int) -> Child:
        environment = {
            **os.environ,
            "CERTD_REDIS_URL": self.redis_url,
            "CERTD_DATA_DIR": str(self._data_dir),
            "CERTD_STORAGE": self._store,
        }
        return Child(f"worker-{index}", [sys.executable, "-m", "workers"], CHECKOUT, environment)

    def _supervise(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            for child in tuple(self._children):
                child.keep_alive()
        for child in reversed(self._children):
            child.stop()
