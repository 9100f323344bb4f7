"""A worker process: the queue's consumer, the pulse and the reconciler, started and stopped together."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog
import torch
from dramatiq import Worker
from redis.exceptions import RedisError

from certd.datasets.cache import DatasetCache
from certd.jobs.dispatch import Dispatcher
from certd.jobs.expiry import Expiry
from certd.jobs.progress import ProgressBoard
from certd.jobs.queue import QUEUES, ShardQueue, connect, declare_actors, make_broker
from certd.jobs.reconcile import Reconciler
from certd.jobs.storage import JobStorage
from certd.jobs.uploads import UploadStore
from certd.jobs.workforce import Workforce
from certd.storage import open_store
from workers.metrics import WorkerMetrics
from workers.models import ModelCache
from workers.pulse import Pulse
from workers.shards import ShardWork
from workers.tasks import Tasks

if TYPE_CHECKING:
    import threading

    from certd.settings import Settings

log = structlog.get_logger("workers")

# With less, the worker idles between shards; with more, it hoards them.
PREFETCH = 2
IDLE_MILLISECONDS, NEARBY_IDLE_MILLISECONDS = 100, 20
PATIENCE_TRIES = 60
FAREWELL_SECONDS = 3.0


class WorkerProcess:
    """One process, one thread of work, one device.

    Args:
        settings: The process's settings.
        redis_url: The server to serve.
        stopped: Set once the process is to stop.
    """

    def __init__(self, settings: Settings, redis_url: str, stopped: threading.Event) -> None:
        self._stopped = stopped
        self._settings = settings
        torch.set_num_threads(settings.threads)
        store = open_store(settings.store)
        storage = JobStorage(store)
        redis = connect(redis_url, PATIENCE_TRIES, stopped)
        board = ProgressBoard(redis)
        broker = make_broker(redis_url, settings.heartbeat_seconds)
        dispatcher = Dispatcher(storage, redis, ShardQueue(broker), 2 * settings.heartbeat_seconds)
        worker_id = f"worker_{uuid4().hex[:12]}"
        self._metrics = WorkerMetrics()
        self._pulse = Pulse(Workforce(redis), worker_id, settings.device, self._metrics.beat)
        datasets = DatasetCache(settings.datasets)
        models = ModelCache(
            settings.device, settings.models, timed=self._metrics.loading, images=datasets.select
        )
        work = ShardWork(storage, board, models, datasets)
        tasks = Tasks(
            storage, redis, board, dispatcher, work, self._pulse, self._metrics, settings.max_attempts
        )
        declare_actors(broker, tasks.certify_shard)
        self._reconciler = Reconciler(storage, redis, dispatcher, board)
        self._expiry = Expiry(storage, settings.expire_days)
        self._uploads = UploadStore(store)
        self._consumer = Worker(
            broker,
            queues=set(QUEUES),
            worker_threads=1,
            worker_timeout=settings.idle_milliseconds or _usual_idle_milliseconds(redis_url),
        )
        self._consumer.queue_prefetch = PREFETCH
        self._log = log.bind(worker_id=worker_id, pid=os.getpid())

    def run(self) -> None:
        """Work until the process is to stop; the shard in hand is finished first."""
        if self._settings.worker_metrics_port:
            port = self._metrics.serve(self._settings.worker_metrics_port)
            self._log.info("metrics_served", port=port)
        self._pulse.start()
        self._consumer.start()
        self._log.info("worker_started", device=self._settings.device, threads=self._settings.threads)
        while not self._stopped.wait(self._settings.reconcile_seconds):
            self._reconcile()
        self._log.info("worker_stopping")
        self._stop_consumer()
        self._pulse.stop()
        self._log.info("worker_stopped")

    def _stop_consumer(self) -> None:
        """Wait for the shard in hand as long as it takes, and a little for the queue's server.

        Where that is away, what was done cannot be acknowledged and what was fetched not put back. All of it
        comes back to the queue once this worker counts as dead.
        """
        for thread in self._consumer.workers:
            thread.stop()
            thread.join(FAREWELL_SECONDS)
            while self._pulse.busy:
                thread.join(FAREWELL_SECONDS)
        with suppress(RedisError):
            self._consumer.stop(timeout=int(FAREWELL_SECONDS * 1000))

    def _expire(self) -> None:
        jobs, files = self._expiry.run(), self._uploads.expire()
        if jobs or files:
            self._log.info("expired", jobs=jobs, upload_files=files)

    def _reconcile(self) -> None:
        try:
            done = self._reconciler.run(lock_seconds=self._settings.reconcile_seconds)
            if done is not None:
                self._expire()
        except Exception as error:  # noqa: BLE001 - the outermost loop
            # The next round sees the same storage, so nothing is lost by leaving this one.
            self._log.warning("reconciliation_failed", detail=f"{type(error).__name__}: {error}")
            return
        for job_id, why in done.unreadable.items() if done else ():
            self._log.warning("job_unreadable", job_id=job_id, detail=why)
        if done and (done.resent or done.reseeded or done.finished):
            self._log.info(
                "jobs_reconciled", resent=done.resent, reseeded=done.reseeded, finished=done.finished
            )


def _usual_idle_milliseconds(redis_url: str) -> int:
    """Return how long an idle worker waits before it looks into the queue again, where no setting says so.

    A server on this machine's own socket serves few workers and is quick to ask; one on a network may serve
    hundreds.
    """
    return NEARBY_IDLE_MILLISECONDS if redis_url.startswith("unix:") else IDLE_MILLISECONDS
