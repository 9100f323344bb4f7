"""A job: its name, its states, its slices, its folder."""

from __future__ import annotations

import itertools
import os
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certd.errors import Conflict, Gone, NotFound, StorageAway, StorageFull
from certd.jobs.inputs import Inputs
from certd.jobs.job import (
    Job,
    JobInputs,
    JobOutcome,
    JobStatus,
    check_transition,
    new_job_id,
    utc_now,
)
from certd.jobs.shards import cut
from certd.jobs.storage import STORING_SECONDS, JobStorage
from certd.models.runtime.arithmetic import Execution
from certd.smoothing import parse_request
from certd.storage import FolderStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _job(num_images: int = 5) -> Job:
    certification = parse_request({"model": "m", "sigma": 0.25, "seed": 1}).resolve(
        "m@sha256:" + "0" * 64, labelled=False
    )
    return Job(
        id=new_job_id(),
        created_at=utc_now(),
        certification=certification,
        inputs=JobInputs(num_images=num_images, labelled=False, sha256="0" * 64),
        max_radius=1.0,
        shards=cut(num_images, 100, 100.0, 1.0),
    )


def _inputs(num_images: int = 5) -> Inputs:
    return Inputs(
        np.arange(num_images, dtype=np.uint64),
        np.zeros((num_images, 1, 2, 2), np.uint8),
        np.arange(num_images),
    )


def test_nothing_follows_a_terminal_state_but_expiry() -> None:
    """A job that has ended never runs again."""
    for before, after in itertools.product(JobStatus, JobStatus):
        if before.terminal and after is not JobStatus.EXPIRED:
            with pytest.raises(Conflict):
                check_transition(before, after)


def test_every_state_leads_to_an_end() -> None:
    """From each state that is not terminal, a failure is one legal step away."""
    for status in JobStatus:
        if not status.terminal:
            check_transition(status, JobStatus.FAILED)


def test_ids_sort_by_the_time_they_were_made() -> None:
    """Of two ids made a millisecond apart, the later sorts after; no two are equal."""
    ids = [new_job_id() for _ in range(200)]
    assert len(set(ids)) == 200
    stamps = [name[: len("job_") + 9] for name in ids]
    assert stamps == sorted(stamps)


@given(
    num_images=st.integers(1, 5000),
    draws=st.integers(1, 10**6),
    speed=st.none() | st.floats(1, 1e7),
    seconds=st.floats(0.1, 60),
)
def test_shards_cover_every_image_exactly_once(
    num_images: int, draws: int, speed: float | None, seconds: float
) -> None:
    """Slices follow one another from the first image to the last, and none is empty."""
    shards = cut(num_images, draws, speed, seconds)
    assert [shard.index for shard in shards] == list(range(len(shards)))
    assert shards[0].start == 0
    assert shards[-1].stop == num_images
    assert all(one.stop == next_one.start for one, next_one in itertools.pairwise(shards))
    assert {len(shard) for shard in shards} <= {len(shards[0]), len(shards[0]) + 1, len(shards[0]) - 1} - {0}


def test_a_shard_takes_about_the_target() -> None:
    """At a measured 1000 draws a second, 3 s hold 30 images of 100 draws."""
    assert {len(shard) for shard in cut(360, 100, 1000.0, 3.0)} == {30}


@given(num_images=st.integers(4, 5000), draws=st.integers(1, 10**6))
def test_two_workers_or_four_end_together(num_images: int, draws: int) -> None:
    """Of more than two shards as many fall to each of two workers, and of four where images suffice."""
    shards = cut(num_images, draws, 1000.0, 3.0)
    assert len(shards) <= 2 or len(shards) % 4 == 0 or len(shards) == num_images


def test_a_stored_job_reads_back_unchanged(tmp_path: Path) -> None:
    """What was asked is what a worker reads, pixels and labels included."""
    storage, job = JobStorage(FolderStore(tmp_path)), _job()
    storage.create(job, _inputs())
    assert storage.read(job.id) == job
    read = storage.read_inputs(job.id)
    assert read.sha256() == _inputs().sha256()
    assert storage.unfinished_ids() == [job.id]


def test_a_job_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk while inputs are written leaves no job and no draft."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("certd.jobs.storage.write_inputs", full)
    storage, job = JobStorage(FolderStore(tmp_path)), _job()
    with pytest.raises(StorageFull, match="No space left"):
        storage.create(job, _inputs())
    assert storage.job_ids() == []
    assert storage.unfinished_ids() == []
    assert list((tmp_path / "jobs").iterdir()) == []


def test_a_job_that_was_being_stored_when_its_process_died_is_swept_after_a_while(tmp_path: Path) -> None:
    """It never was there for a reader; what lies of it goes an hour later, not while it is being stored."""
    storage, job = JobStorage(FolderStore(tmp_path)), _job()
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / job.id).touch()
    (tmp_path / "jobs" / job.id).mkdir(parents=True)
    (tmp_path / "jobs" / job.id / "inputs.npz").touch()
    with pytest.raises(NotFound):
        storage.read(job.id)
    assert storage.sweep() == 0
    an_hour_ago = time.time() - STORING_SECONDS - 1
    os.utime(tmp_path / "unfinished" / job.id, (an_hour_ago, an_hour_ago))
    assert storage.sweep() == 1
    assert storage.job_ids() == storage.unfinished_ids() == []


class _ForgetfulStore(FolderStore):
    """A store that finds nothing under any name, though it lists what is there."""

    def exists(self, _: str) -> bool:
        return False


def test_a_job_that_is_only_not_found_is_never_swept(tmp_path: Path) -> None:
    """A job that is listed is there, and stays unfinished, whatever a look under its name says."""
    job = _job()
    JobStorage(FolderStore(tmp_path)).create(job, _inputs())
    an_hour_ago = time.time() - STORING_SECONDS - 1
    os.utime(tmp_path / "unfinished" / job.id, (an_hour_ago, an_hour_ago))
    storage = JobStorage(_ForgetfulStore(tmp_path))
    assert storage.sweep() == 0
    assert storage.unfinished_ids() == [job.id]
    assert JobStorage(FolderStore(tmp_path)).read(job.id) == job


def test_a_job_whose_end_was_written_by_a_process_that_died_is_settled(tmp_path: Path) -> None:
    """The note that it is unfinished goes; the job and its end stay."""
    storage, job = JobStorage(FolderStore(tmp_path)), _job()
    storage.create(job, _inputs())
    storage.write_outcome(job.id, JobOutcome(status=JobStatus.SUCCEEDED, finished_at=utc_now()))
    (tmp_path / "unfinished" / job.id).touch()
    assert storage.sweep() == 1
    assert storage.unfinished_ids() == []
    assert storage.read_outcome(job.id) is not None


def test_what_a_worker_writes_into_a_deleted_job_is_swept(tmp_path: Path) -> None:
    """The job stays gone, for readers and for lists."""
    storage, job = JobStorage(FolderStore(tmp_path)), _job()
    storage.create(job, _inputs())
    storage.delete(job.id)
    FolderStore(tmp_path).write(f"jobs/{job.id}/shards/00000.parquet", b"late")
    assert storage.job_ids() == storage.unfinished_ids() == []
    with pytest.raises(Gone):
        storage.read(job.id)
    assert storage.sweep() == 1
    assert not (tmp_path / "jobs" / job.id).exists()


def test_only_the_first_end_of_a_job_counts(tmp_path: Path) -> None:
    """A terminal state is written once: the second writer learns that it lost, and changes nothing."""
    storage, job = JobStorage(FolderStore(tmp_path)), _job()
    storage.create(job, _inputs())
    assert storage.write_outcome(job.id, JobOutcome(status=JobStatus.SUCCEEDED, finished_at=utc_now()))
    assert not storage.write_outcome(job.id, JobOutcome(status=JobStatus.FAILED, finished_at=utc_now()))
    outcome = storage.read_outcome(job.id)
    assert outcome is not None
    assert outcome.status is JobStatus.SUCCEEDED
    assert storage.unfinished_ids() == []


class _Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_delete_that_was_killed_is_brought_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """After the first step the job is on no list; the sweep sees to it that its images go too."""
    storage, job = JobStorage(FolderStore(tmp_path)), _job()
    storage.create(job, _inputs())
    done = list[str]()

    def mortal(step: Callable[[FolderStore, str], None]) -> Callable[[FolderStore, str], None]:
        def run(store: FolderStore, name: str) -> None:
            if len(done) == steps:
                raise _Killed
            done.append(name)
            step(store, name)

        return run

    with monkeypatch.context() as patched:
        for name in ("remove", "remove_folder"):
            patched.setattr(FolderStore, name, mortal(getattr(FolderStore, name)))
        with pytest.raises(_Killed):
            storage.delete(job.id)
    assert storage.job_ids() == []
    assert storage.sweep() == 1
    assert not (tmp_path / "jobs" / job.id).exists()
    assert storage.unfinished_ids() == []
    with pytest.raises(Gone):
        storage.read(job.id)
    assert storage.sweep() == 0


def test_a_job_that_cannot_be_removed_holds_no_sweep_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its remains wait for better times; those of others go."""
    storage, jobs = JobStorage(FolderStore(tmp_path)), [_job() for _ in range(3)]
    for job in jobs:
        storage.create(job, _inputs())
        (tmp_path / "jobs" / f".gone-{job.id}").touch()
    remove = FolderStore.remove

    def remove_most(store: FolderStore, name: str) -> None:
        if jobs[1].id in name:
            raise StorageAway("it does not let itself be removed")
        remove(store, name)

    monkeypatch.setattr(FolderStore, "remove", remove_most)
    assert storage.sweep() == 3
    assert [(tmp_path / "jobs" / job.id).exists() for job in jobs] == [False, True, False]


@pytest.mark.parametrize("name", ["job_nope", "../secrets", "job_/../../etc", "", "job_" + "0" * 26])
def test_a_name_that_is_no_job_opens_no_path(tmp_path: Path, name: str) -> None:
    """Ids from outside never leave the folder of the jobs."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "job.json").write_text("{}")
    with pytest.raises(NotFound):
        JobStorage(FolderStore(tmp_path)).read(name)


def test_one_job_is_executed_in_one_way(tmp_path: Path) -> None:
    """The first worker decides; a second one is told, whatever it would do itself."""
    storage, job = JobStorage(FolderStore(tmp_path)), _job()
    storage.create(job, _inputs())
    first = Execution(
        device="cpu",
        processor="AVX512",
        dtype="float32",
        normalisation_folded=True,
        batch_norms_folded=0,
        batch_norms_left=0,
        channels_last=True,
        compiled=False,
        tf32=False,
        deterministic=True,
        batch_size=256,
        threads=1,
        torch="2.13.0",
    )
    assert storage.read_execution(job.id) is None
    assert storage.pin_execution(job.id, first) == first
    assert storage.pin_execution(job.id, first.model_copy(update={"threads": 2})) == first
    assert storage.read_execution(job.id) == first


def test_one_uploaded_image_is_read_alone(tmp_path: Path) -> None:
    """Its pixels are those that were stored, whichever its place; an id that is not there has none."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (5, 3, 4, 6), np.uint8)
    ids = np.array([7, 3, 1 << 63, 0, 11], np.uint64)
    storage = JobStorage(FolderStore(tmp_path))
    job = _job()
    storage.create(job, Inputs(ids, pixels))
    for place, image_id in enumerate(ids):
        found = storage.read_image(job.id, int(image_id))
        assert found is not None
        assert np.array_equal(found, pixels[place])
    assert storage.read_image(job.id, 5) is None
