"""What one queue's server carries: three hundred workers that do all but the forward passes.

    python -m benchmarks.crowd [--workers 300 --seconds 30]

Each simulated worker consumes messages, beats, reports progress and sends the next shards as a real one does,
and sleeps where that would certify. They live in a few processes beside the server, on the same cores. Prints
Markdown.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import threading
import time
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

from dramatiq import Worker
from redis import Redis

from api.embedded import valkey
from benchmarks.machine import describe
from certd.jobs.dispatch import Dispatcher
from certd.jobs.inputs import Inputs
from certd.jobs.job import Job, JobInputs, new_job_id, utc_now
from certd.jobs.progress import ProgressBoard, ShardProgress
from certd.jobs.queue import QUEUES, ShardQueue, connect, declare_actors, make_broker
from certd.jobs.shards import Shard
from certd.jobs.storage import JobStorage
from certd.jobs.workforce import Workforce
from certd.smoothing import parse_request
from certd.storage import FolderStore
from workers.pulse import Pulse
from workers.shards import PROGRESS_SECONDS
from workers.worker import IDLE_MILLISECONDS, PREFETCH

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

import numpy as np

PROCESSES = 6
SHARD_SECONDS = 3.0
HEARTBEAT_SECONDS = 30.0
SHARDS = 6_000
WARM_UP_SECONDS = 20.0
PAUSE_SECONDS = 0.2


class SimulatedWorker:
    """One worker without a model."""

    def __init__(
        self, name: str, folder: Path, url: str, storage: JobStorage, idle_milliseconds: int
    ) -> None:
        # Real workers read the job once each, on cores of their own.
        self._storage = storage
        self._store = FolderStore(folder)
        redis = connect(url, 3)
        self._board = ProgressBoard(redis)
        self._pulse = Pulse(Workforce(redis), name, "cpu")
        broker = make_broker(url, HEARTBEAT_SECONDS)
        self._dispatcher = Dispatcher(self._storage, redis, ShardQueue(broker), 2 * HEARTBEAT_SECONDS)
        declare_actors(broker, self._work)
        self._consumer = Worker(
            broker, queues=set(QUEUES), worker_threads=1, worker_timeout=idle_milliseconds
        )
        self._consumer.queue_prefetch = PREFETCH

    def start(self) -> None:
        """Begin to consume."""
        self._pulse.start()
        self._consumer.start()

    def _work(self, job_id: str, index: int) -> None:
        """Pretend to certify a shard, and send the next ones."""
        with self._pulse.holding(job_id, index):
            self._board.start(job_id)
            until = time.monotonic() + SHARD_SECONDS
            while time.monotonic() < until:
                time.sleep(PROGRESS_SECONDS)
                self._board.report(job_id, index, ShardProgress(0, 0, 1))
            self._store.write(f"jobs/{job_id}/shards/{index:05d}.parquet", b"")
            self._board.report(job_id, index, ShardProgress(1, 0, 100))
        self._dispatcher.dispatch(self._storage.read(job_id))


def main() -> None:
    """Let the crowd work and print what the server had to do."""
    arguments = _arguments()
    print(f"{describe()}; {arguments.workers} simulated workers, shards of {SHARD_SECONDS:g} s.\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        server = valkey.server_child(folder)
        url = valkey.server_url(folder)
        keeper = threading.Event()
        threading.Thread(target=_keep, args=(server, keeper), daemon=True).start()
        while not valkey.answers(url):
            time.sleep(0.05)
        job = _job(folder)
        spawn = multiprocessing.get_context("spawn")
        done = spawn.Event()
        processes = [
            spawn.Process(
                target=_host,
                args=(i, arguments.workers // PROCESSES, folder, url, arguments.idle_milliseconds, done),
            )
            for i in range(PROCESSES)
        ]
        for process in processes:
            process.start()
        _measure(folder, url, job, arguments)
        done.set()
        for process in processes:
            process.join(10)
            process.kill()
        keeper.set()
        time.sleep(0.2)
        server.stop()


def _keep(server: Any, stopped: threading.Event) -> None:
    while not stopped.wait(0.05):
        server.keep_alive()


def _host(  # noqa: PLR0913, PLR0917 - crosses a process boundary
    number: int, workers: int, folder: Path, url: str, idle: int, done: Event
) -> None:
    """Run some of the simulated workers in this process."""
    storage = JobStorage(FolderStore(folder))
    for i in range(workers):
        SimulatedWorker(f"simulated-{number}-{i}", folder, url, storage, idle).start()
        # A socket file takes no hundred connections in one moment, which a rollout does not ask for either.
        time.sleep(PAUSE_SECONDS)
    done.wait()


def _job(folder: Path) -> Job:
    """Store one job of very many shards."""
    request = parse_request({"model": "m", "sigma": 0.25, "seed": 1, "n": 10**7})
    job = Job(
        id=new_job_id(),
        created_at=utc_now(),
        certification=request.resolve("m@sha256:" + "0" * 64, labelled=False),
        inputs=JobInputs(num_images=SHARDS, labelled=False, sha256="0" * 64),
        max_radius=1.0,
        shards=tuple(Shard(index=i, start=i, stop=i + 1) for i in range(SHARDS)),
    )
    JobStorage(FolderStore(folder)).create(job, Inputs(np.arange(SHARDS, dtype=np.uint64)))
    return job


def _measure(folder: Path, url: str, job: Job, arguments: argparse.Namespace) -> None:
    storage = JobStorage(FolderStore(folder))
    with Redis.from_url(url, decode_responses=True) as redis:
        workforce = Workforce(redis)
        while workforce.size() < arguments.workers // PROCESSES * PROCESSES:
            time.sleep(0.5)
        broker = make_broker(url, HEARTBEAT_SECONDS)
        Dispatcher(storage, redis, ShardQueue(broker), 60.0).dispatch(job)
        time.sleep(WARM_UP_SECONDS)
        shards, before, began = len(storage.finished_shards(job.id)), redis.info(), time.monotonic()
        pings = []
        while time.monotonic() - began < arguments.seconds:
            asked = time.perf_counter()
            redis.ping()
            pings.append(1000 * (time.perf_counter() - asked))
            time.sleep(0.02)
        seconds, after = time.monotonic() - began, redis.info()
        certified = (len(storage.finished_shards(job.id)) - shards) / seconds
        busy = sum(after[k] - before[k] for k in ("used_cpu_user", "used_cpu_sys")) / seconds
        commands = (after["total_commands_processed"] - before["total_commands_processed"]) / seconds
        best = arguments.workers / SHARD_SECONDS
        print("| | |\n|---|---|")
        print(f"| shards a second | {certified:.0f} of {best:.0f} at most |")
        print(f"| commands a second | {commands:,.0f} |")
        print(f"| one core of the server busy | {busy:.0%} |")
        print(f"| PING, p50 and p99 | {median(pings):.1f} ms, {quantiles(pings, n=100)[98]:.1f} ms |")
        print(f"| its memory | {after['used_memory'] / 2**20:.1f} MiB |", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=300)
    parser.add_argument("--idle-milliseconds", type=int, default=IDLE_MILLISECONDS)
    parser.add_argument("--seconds", type=int, default=30)
    return parser.parse_args()


if __name__ == "__main__":
    main()
