"""The whole service as a user starts it: one command, real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from certd.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHECKOUT = Path(__file__).resolve().parents[2]
READY_SECONDS = 180.0
STOP_SECONDS = 60.0
# A worker that fell silent for this long counts as dead; short, so that the tests need not wait.
SETTINGS = {"CERTD_HEARTBEAT_SECONDS": "3", "CERTD_RECONCILE_SECONDS": "1", "CERTD_SHARD_SECONDS": "0.3"}
REQUEST = {
    "model": "digits-cnn",
    "dataset": "digits",
    "limit": 60,
    "sigma": 0.25,
    "plan": "fixed",
    "n0": 100,
    "n": 5000,
    "seed": 12345,
}
"""A job of several shards, which what is killed interrupts."""


class Service:
    """A running stack: its URL, its client, its log, its processes."""

    def __init__(self, process: subprocess.Popen[str], log: Path, url: str, key: str | None = None) -> None:
        self.process = process
        self.log = log
        self.url = url
        self.client = Client(url, key)

    def events(self, name: str) -> list[dict[str, object]]:
        """Return the log's events of one name so far."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def worker_pids(self) -> list[int]:
        """Return the processes of the workers that ever started."""
        return [int(str(event["pid"])) for event in self.events("worker_started")]

    def wait_until(self, holds: Callable[[], bool], seconds: float = 180.0) -> None:
        """Poll until ``holds``, and fail the test when it never does."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            self.process.poll()
            signal.sigtimedwait([], 0.05)

    def wait_for_workers(self, count: int) -> None:
        """Poll until ``count`` workers have started, dead ones included."""
        self.wait_until(lambda: len(self.worker_pids()) >= count)

    def wait_for_images(self, job_id: str, count: int) -> None:
        """Poll until ``count`` images of a job are finished."""
        self.wait_until(lambda: self.client.job(job_id)["progress"]["images_done"] >= count)

    def finish(self, job_id: str) -> list[dict[str, Any]]:
        """Wait until a job of ``REQUEST`` has succeeded, and return its certificates."""
        ended = self.client.wait(job_id, timeout_seconds=300)
        assert ended["status"] == "succeeded", ended["error"]
        assert ended["progress"]["images_done"] == REQUEST["limit"]
        return self.client.certificates(job_id)


@contextmanager
def running(data_dir: Path, workers: int = 1, key: str | None = None, **settings: str) -> Iterator[Service]:
    """Start the embedded stack on a free port and stop it at the end; ``key`` is shown by its client."""
    data_dir.mkdir(parents=True, exist_ok=True)
    log = data_dir / "service.log"
    command = [sys.executable, "-m", "api", "--embedded", "--port", "0", "--workers", str(workers)]
    environment = {**os.environ, **SETTINGS, **settings, "CERTD_DATA_DIR": str(data_dir)}
    with (
        log.open("a") as stream,
        subprocess.Popen(
            command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, stderr=stream, text=True
        ) as process,
    ):
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, log.read_text()
        service = Service(process, log, url, key)
        try:
            service.wait_until(service.client.ready, READY_SECONDS)
            yield service
        finally:
            service.client.close()
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Return a stack that the undemanding tests of a module share."""
    with running(tmp_path_factory.mktemp("service")) as shared:
        yield shared


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return the certificates of ``REQUEST`` when nothing happens to it."""
    with running(tmp_path_factory.mktemp("undisturbed")) as service:
        return service.finish(service.client.submit(REQUEST)["id"])
