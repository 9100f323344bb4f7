"""What a worker does with a message: what it begins, what counts as an attempt, when it tries again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

import pytest

from certd.errors import Interrupted, OutOfMemory, StorageAway, StorageFull
from certd.jobs import keys
from certd.jobs.dispatch import Dispatcher
from certd.jobs.job import JobStatus
from certd.jobs.progress import ProgressBoard
from certd.jobs.queue import ShardQueue, connect, make_broker
from certd.jobs.shards import Shard
from certd.jobs.storage import JobStorage
from certd.jobs.workforce import WorkerState, Workforce
from certd.storage import FolderStore
from tests.unit.test_jobs import _inputs, _job
from workers.metrics import WorkerMetrics
from workers.pulse import Pulse
from workers.tasks import Tasks

if TYPE_CHECKING:
    from pathlib import Path

    from certd.errors import CertdError
    from certd.jobs.job import Job
    from workers.shards import ShardWork

pytestmark = pytest.mark.integration

MAX_ATTEMPTS = 3
RESEND_AFTER_SECONDS = 60.0


class Work:
    """Shards' work that takes no time; it ends in ``error``, if there is one."""

    def __init__(self, storage: JobStorage) -> None:
        self._storage = storage
        self.error: Exception | None = None
        self.begun: list[int] = []

    def run(self, job: Job, index: int) -> tuple[None, int]:
        """Finish a shard, as one without certificates."""
        self.begun.append(index)
        if self.error is not None:
            raise self.error
        self._storage.refuse_shard(job.id, index, "nothing to do")
        return None, 0


class Bench:
    """A worker without a process, on a store and a queue's server."""

    def __init__(self, data_dir: Path, valkey_url: str) -> None:
        self.redis = connect(valkey_url, 0)
        self.redis.flushall()
        self.storage = JobStorage(FolderStore(data_dir))
        self.queue = ShardQueue(make_broker(valkey_url, 30.0))
        self.board = ProgressBoard(self.redis)
        self.dispatcher = Dispatcher(self.storage, self.redis, self.queue, RESEND_AFTER_SECONDS)
        self.workforce = Workforce(self.redis)
        self.work = Work(self.storage)
        self.tasks = Tasks(
            self.storage,
            self.redis,
            self.board,
            self.dispatcher,
            cast("ShardWork", self.work),
            Pulse(self.workforce, "worker_here", "cpu"),
            WorkerMetrics(),
            MAX_ATTEMPTS,
        )

    def job(self) -> Job:
        """Store a job of two shards and send them."""
        shards = tuple(Shard(index=i, start=i, stop=i + 1) for i in range(2))
        job = _job(2).model_copy(update={"shards": shards})
        self.storage.create(job, _inputs(2))
        self.dispatcher.dispatch(job)
        return job

    def sent(self, job: Job) -> dict[int, float]:
        """Return when each shard counts as sent."""
        found = cast("dict[str, str]", self.redis.hgetall(keys.sent(job.id)))
        return {int(shard): float(sent_at) for shard, sent_at in found.items()}

    def attempts(self, job: Job) -> int:
        """Return how many attempts at the first shard count."""
        return int(cast("str | None", self.redis.hget(keys.attempts(job.id), "0")) or 0)


@pytest.fixture
def bench(tmp_path: Path, valkey_url: str) -> Bench:
    """Return a bench with nothing on it."""
    return Bench(tmp_path, valkey_url)


def test_a_shard_that_another_live_worker_has_in_hand_is_left_to_it(bench: Bench) -> None:
    """However often it was sent, it is begun once, and no attempt is counted for the others."""
    job = bench.job()
    now = time.time()
    other = WorkerState("worker_other", "cpu", started_at=now, seen_at=now, job_id=job.id, shard=0)
    bench.workforce.beat(other)
    for _ in range(MAX_ATTEMPTS + 1):
        bench.tasks.certify_shard(job.id, 0)
    assert bench.work.begun == []
    assert bench.attempts(job) == 0
    bench.workforce.leave("worker_other")
    bench.tasks.certify_shard(job.id, 0)
    assert bench.work.begun == [0]


def test_work_that_was_stopped_on_purpose_is_no_attempt(bench: Bench) -> None:
    """A shard that others finish first, again and again, is no reason to give its job up."""
    job = bench.job()
    bench.work.error = Interrupted("Another worker finished it.")
    for _ in range(MAX_ATTEMPTS + 1):
        bench.tasks.certify_shard(job.id, 0)
    assert bench.attempts(job) == 0
    assert bench.storage.read_outcome(job.id) is None


@pytest.mark.parametrize("error", [StorageFull("No room."), StorageAway("Input/output error.")])
def test_storage_that_fails_counts_no_attempt(bench: Bench, error: CertdError) -> None:
    """It is no fault of the shard's, which waits among those sent until storage may be well again."""
    job = bench.job()
    bench.work.error = error
    for _ in range(MAX_ATTEMPTS + 1):
        bench.tasks.certify_shard(job.id, 0)
    assert bench.attempts(job) == 0
    assert bench.storage.read_outcome(job.id) is None
    assert 0 in bench.sent(job)


@pytest.mark.parametrize("error", [OutOfMemory("The device is full."), RuntimeError("A bad moment.")])
def test_what_may_pass_is_tried_again_after_a_pause_that_grows(bench: Bench, error: Exception) -> None:
    """All attempts in one bad moment would say nothing of the shard."""
    job = bench.job()
    bench.work.error = error
    pauses = []
    for _ in range(MAX_ATTEMPTS):
        bench.tasks.certify_shard(job.id, 0)
        pauses.append(bench.sent(job)[0] + RESEND_AFTER_SECONDS - time.time())
    assert pauses == pytest.approx([2.0, 4.0, 8.0], abs=1.0)
    assert bench.attempts(job) == MAX_ATTEMPTS
    bench.tasks.certify_shard(job.id, 0)
    outcome = bench.storage.read_outcome(job.id)
    assert outcome is not None
    assert outcome.status is JobStatus.FAILED
