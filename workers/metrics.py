"""Metrics of one worker for Prometheus, served on loopback."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from certd.errors import OutOfMemory, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certd.errors import CertdError
    from certd.smoothing.run import Run

LOOPBACK = "127.0.0.1"
MAX_WORKERS_A_HOST = 64
SHARD_SECONDS = (0.1, 0.3, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 300.0)
LOAD_SECONDS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


class WorkerMetrics:
    """What one worker process has done. Counters begin at 0 with the process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._images = Counter(
            "certd_images",
            "Images finished by this worker, by outcome.",
            ["outcome"],
            registry=registry,
        )
        for outcome in ("certified", "abstained", "error"):
            self._images.labels(outcome)
        self._draws = Counter("certd_noise_draws", "Noise draws made by this worker.", registry=registry)
        self._speed = Gauge(
            "certd_draws_per_second", "Noise draws a second in the last shard.", registry=registry
        )
        self._batch = Gauge(
            "certd_batch_size", "Rows of a forward pass in the last shard.", registry=registry
        )
        self._shards = Histogram(
            "certd_shard_seconds",
            "Time of an attempt that finished its shard.",
            buckets=SHARD_SECONDS,
            registry=registry,
        )
        self._failures = Counter(
            "certd_attempts_failed", "Attempts that ended in an error.", ["code"], registry=registry
        )
        self._memory = Counter(
            "certd_out_of_memory", "Attempts for which the device had no memory.", registry=registry
        )
        self._loads = Histogram(
            "certd_model_load_seconds",
            "Time to make a model ready: to load and check it, and to prepare it.",
            ["step"],
            buckets=LOAD_SECONDS,
            registry=registry,
        )
        self._beats = Counter("certd_heartbeats", "Heartbeats that reached the queue.", registry=registry)

    def shard_certified(self, run: Run, drawn: int, seconds: float) -> None:
        """Count one finished shard.

        Args:
            run: Its certificates.
            drawn: Draws made by this attempt.
            seconds: How long it took.
        """
        for certificate in run.certificates:
            self._images.labels(certificate.outcome).inc()
        self._draws.inc(drawn)
        self._speed.set(drawn / seconds)
        self._batch.set(run.manifest.execution.batch_size)
        self._shards.observe(seconds)

    def attempt_failed(self, error: CertdError, num_images: int) -> None:
        """Count an attempt that ended in an error, and the images whose end that is."""
        self._failures.labels(error.code).inc()
        if isinstance(error, OutOfMemory):
            self._memory.inc()
        self.images_failed(num_images)

    def images_failed(self, count: int) -> None:
        """Count images that ended without a certificate."""
        self._images.labels("error").inc(count)

    @contextmanager
    def loading(self, step: str) -> Iterator[None]:
        """Time one step of making a model ready: ``load`` or ``prepare``."""
        with self._loads.labels(step).time():
            yield

    def beat(self) -> None:
        """Count a heartbeat."""
        self._beats.inc()

    def serve(self, first_port: int) -> int:
        """Serve on the first free port from ``first_port`` on and return it; other machines cannot reach it.

        Raises:
            Unavailable: If none of the next ports is free.
        """
        for port in range(first_port, first_port + MAX_WORKERS_A_HOST):
            try:
                start_http_server(port, LOOPBACK, self.registry)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return port
        raise Unavailable(
            f"No port from {first_port} to {first_port + MAX_WORKERS_A_HOST - 1} is free for metrics; "
            "set CERTD_WORKER_METRICS_PORT to another one, or to 0."
        )
