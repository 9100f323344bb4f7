"""A worker that is to stop stops, also where the queue's server is away."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from certd.jobs.queue import connect
from certd.settings import Settings
from workers.worker import PATIENCE_TRIES, WorkerProcess

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration


def test_a_client_waits_for_a_server_until_its_process_is_to_stop(tmp_path: Path) -> None:
    """Then the next failure is the last, however many tries were left."""
    stopped = threading.Event()
    client = connect(f"unix://{tmp_path}/nobody.sock", PATIENCE_TRIES, stopped)
    threading.Timer(0.3, stopped.set).start()
    began = time.monotonic()
    with pytest.raises(RedisConnectionError, match="to stop"):
        client.ping()
    assert 0.3 <= time.monotonic() - began < PATIENCE_TRIES / 2
    with pytest.raises(RedisConnectionError, match="to stop"):
        client.ping()


def test_a_worker_without_a_server_stops_within_seconds(tmp_path: Path) -> None:
    """Nothing is in hand, so there is nothing to wait for."""
    stopped = threading.Event()
    process = WorkerProcess(Settings(data_dir=tmp_path), f"unix://{tmp_path}/nobody.sock", stopped)
    threading.Timer(0.5, stopped.set).start()
    began = time.monotonic()
    process.run()
    assert time.monotonic() - began < PATIENCE_TRIES / 2
