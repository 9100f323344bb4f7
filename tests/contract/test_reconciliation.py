"""The reconciler: every job is brought forward, whatever became of its messages, its files or other jobs."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from certd.jobs import keys
from certd.jobs.dispatch import Dispatcher
from certd.jobs.progress import ProgressBoard
from certd.jobs.queue import HIGH, NAMESPACE, ShardQueue, connect, make_broker
from certd.jobs.reconcile import Reconciled, Reconciler
from certd.jobs.storage import JobStorage
from certd.settings import Settings
from certd.storage import FolderStore
from tests.unit.test_jobs import _inputs, _job
from workers.worker import WorkerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from certd.jobs.job import Job

pytestmark = pytest.mark.integration

RESEND_AFTER_SECONDS = 60.0


class Office:
    """A reconciler, a store and a queue, without workers."""

    def __init__(self, data_dir: Path, valkey_url: str) -> None:
        self.redis = connect(valkey_url, 0)
        self.redis.flushall()
        self.folder = data_dir
        self.storage = JobStorage(FolderStore(data_dir))
        self.queue = ShardQueue(make_broker(valkey_url, 30.0))
        self.dispatcher = Dispatcher(self.storage, self.redis, self.queue, RESEND_AFTER_SECONDS)
        board = ProgressBoard(self.redis)
        self._reconciler = Reconciler(self.storage, self.redis, self.dispatcher, board)

    def job(self) -> Job:
        """Store a job of one shard, and send nothing."""
        job = _job(1)
        self.storage.create(job, _inputs(1))
        return job

    def note_sent_long_ago(self, job: Job) -> None:
        """Have the shard count as sent, longer ago than a shard may be nowhere."""
        self.redis.hset(keys.sent(job.id), "0", "1")

    def reconcile(self) -> Reconciled:
        """Do one round."""
        self.redis.delete(keys.RECONCILER)
        found = self._reconciler.run(lock_seconds=60.0)
        assert found is not None
        return found


@pytest.fixture
def office(tmp_path: Path, valkey_url: str) -> Office:
    """Return an office with nothing in it."""
    return Office(tmp_path, valkey_url)


def _newer(folder: Path) -> None:
    """Make a job one of a version that knows more."""
    job: dict[str, Any] = json.loads((folder / "job.json").read_text())
    (folder / "job.json").write_text(json.dumps({**job, "priority": 1}))


def _broken(folder: Path) -> None:
    """Break a file that the reconciler reads."""
    (folder / "shards").mkdir()
    (folder / "shards" / "00000.parquet").write_bytes(b"no certificates")


@pytest.mark.parametrize("spoil", [_newer, _broken])
def test_a_job_that_cannot_be_read_holds_no_other_up(office: Office, spoil: Any) -> None:
    """It is named, and those before and behind it are sent."""
    jobs = [office.job() for _ in range(3)]
    spoil(office.folder / "jobs" / jobs[1].id)
    found = office.reconcile()
    assert found.resent == 2
    assert list(found.unreadable) == [jobs[1].id]


def test_names_that_are_no_shards_are_passed_over(office: Office) -> None:
    """What a network's file system leaves of a file that is still read says nothing of a shard."""
    job = office.job()
    for name in (".nfs00000000012d687500000002", "00000.parquet~", "x.refused"):
        FolderStore(office.folder).write(f"jobs/{job.id}/shards/{name}", b"")
    assert office.storage.finished_shards(job.id) == office.storage.certified_shards(job.id) == set()
    assert office.reconcile().unreadable == {}


def test_no_fault_of_a_round_ends_the_worker(
    tmp_path: Path, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next round is done after one that failed in a way that nobody thought of."""
    stopped, rounds = threading.Event(), list[int]()
    process = WorkerProcess(Settings(data_dir=tmp_path, reconcile_seconds=0.01), valkey_url, stopped)

    def fail(*_: object, **__: object) -> None:
        rounds.append(1)
        if len(rounds) == 2:
            stopped.set()
        raise ValueError("unthought of")

    monkeypatch.setattr(Reconciler, "run", fail)
    process.run()
    assert len(rounds) == 2


def test_a_lost_shard_is_sent_again_however_busy_the_queue_is(office: Office) -> None:
    """Messages of others say nothing of it, and its own keep it from being sent twice."""
    lost, waiting = office.job(), office.job()
    office.dispatcher.dispatch(waiting)
    for job in (lost, waiting):
        office.note_sent_long_ago(job)
    assert office.reconcile().resent == 1
    for job in (lost, waiting):
        office.note_sent_long_ago(job)
    assert office.reconcile().resent == 0
    assert office.redis.llen(f"{NAMESPACE}:{HIGH}") == 2
