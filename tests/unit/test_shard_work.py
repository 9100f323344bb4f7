"""One shard's work: finished where only the queue's server is away, and stopped where its job has ended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from certd.datasets import load_dataset
from certd.datasets.cache import DatasetCache
from certd.errors import Interrupted, NonFiniteLogits
from certd.jobs.finish import Finisher
from certd.jobs.inputs import Inputs
from certd.jobs.job import Job, JobInputs, new_job_id, utc_now
from certd.jobs.rendering import REPORT, render
from certd.jobs.shards import Shard
from certd.jobs.storage import JobStorage
from certd.models import load_model
from certd.smoothing import parse_request
from certd.storage import FolderStore
from workers import shards
from workers.models import ModelCache
from workers.shards import ShardWork

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from certd.jobs.progress import ProgressBoard

NUM_IMAGES = 3


class Board:
    """A board of progress that remembers nothing; what is said to it may fail, or be the moment for more."""

    def __init__(self) -> None:
        self.on_report: Callable[[], object] = lambda: None

    def started_at(self, _: str) -> None:
        """Know nothing."""

    def forget(self, _: str) -> None:
        """Remember nothing."""

    def report(self, *_: object) -> None:
        """Do what the test has chosen."""
        self.on_report()


class Shop:
    """A worker without a queue, at a job of one image a shard."""

    def __init__(self, folder: Path) -> None:
        self.storage = JobStorage(FolderStore(folder))
        self.board = Board()
        board = cast("ProgressBoard", self.board)
        self.finisher = Finisher(self.storage, board)
        self.work = ShardWork(self.storage, board, ModelCache("cpu", None), DatasetCache(None))
        self.job = self._stored_job()

    def _stored_job(self) -> Job:
        request = {"model": "digits-cnn", "sigma": 0.25, "plan": "fixed", "n0": 10, "n": 100, "seed": 1}
        reference = load_model("digits-cnn").reference
        job = Job(
            id=new_job_id(),
            created_at=utc_now(),
            certification=parse_request(request).resolve(reference, labelled=True),
            inputs=JobInputs(dataset="digits", num_images=NUM_IMAGES, labelled=True, sha256="0" * 64),
            max_radius=1.0,
            shards=tuple(Shard(index=i, start=i, stop=i + 1) for i in range(NUM_IMAGES)),
        )
        labels = load_dataset("digits").labels
        assert labels is not None
        ids = np.arange(NUM_IMAGES, dtype=np.uint64)
        self.storage.create(job, Inputs(ids, None, labels[:NUM_IMAGES]))
        return job

    def fail(self) -> None:
        """End the job, as a worker does that cannot do one of its shards."""
        self.finisher.fail(self.job.id, NonFiniteLogits("NaN"), shard=2)

    def reported(self) -> int:
        """Return how many images the job's report is of."""
        return int(json.loads(render(self.storage, self.job.id, REPORT))["images"]["finished"])


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Return a worker that looks about itself with every batch."""
    monkeypatch.setattr(shards, "PROGRESS_SECONDS", 0.0)
    return Shop(tmp_path)


def test_a_shard_is_finished_where_only_its_progress_cannot_be_told(shop: Shop) -> None:
    """The queue's server is away; what matters lies in storage."""

    def away() -> None:
        raise RedisConnectionError("away")

    shop.board.on_report = away
    run, _ = shop.work.run(shop.job, 0)
    assert run is not None
    assert shop.storage.finished_shards(shop.job.id) == {0}


def test_work_stops_once_its_job_has_ended(shop: Shop) -> None:
    """Another worker could not do its shard, and ended the job in the middle of this one."""
    shop.board.on_report = shop.fail
    with pytest.raises(Interrupted, match="has ended"):
        shop.work.run(shop.job, 0)
    assert shop.storage.finished_shards(shop.job.id) == set()


def test_a_job_that_ended_in_the_last_moment_is_given_no_more_shards(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked once more before the shard is stored, also where it was too short to be looked at."""
    monkeypatch.setattr(shards, "PROGRESS_SECONDS", 60.0)
    shop.fail()
    with pytest.raises(Interrupted, match="has ended"):
        shop.work.run(shop.job, 0)
    assert shop.storage.finished_shards(shop.job.id) == set()


def test_what_is_finished_after_the_end_is_in_the_report_all_the_same(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report that was kept at the end is not read any more."""
    shop.work.run(shop.job, 0)
    shop.fail()
    assert shop.reported() == 1
    with monkeypatch.context() as patched:
        # A worker that looked a moment before the end.
        patched.setattr(shop.storage, "read_outcome", lambda _: None)
        shop.work.run(shop.job, 1)
    assert shop.reported() == 2
    assert shop.storage.read_report(shop.job.id, REPORT) is not None
