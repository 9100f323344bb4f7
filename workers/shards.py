"""One shard's work: read the slice, certify it, write its file."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from certd.errors import Interrupted
from certd.jobs.progress import ShardProgress
from certd.models.soups import NegativeVariance
from certd.smoothing.run import Run
from workers.runs import RunOpener

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from certd.datasets.cache import DatasetCache
    from certd.jobs.inputs import Inputs
    from certd.jobs.job import Job
    from certd.jobs.progress import ProgressBoard
    from certd.jobs.shards import Shard
    from certd.jobs.storage import JobStorage
    from certd.smoothing.draws import Record
    from workers.models import ModelCache

PROGRESS_SECONDS = 0.25
CHECKPOINT_SECONDS = 2.0


class ShardWork:
    """Certifies shards. The same shard always gives the same file, whoever does it and however often."""

    def __init__(
        self,
        storage: JobStorage,
        board: ProgressBoard,
        models: ModelCache,
        datasets: DatasetCache,
    ) -> None:
        self._storage = storage
        self._board = board
        self._opener = RunOpener(storage, models)
        self._datasets = datasets

    def run(self, job: Job, index: int) -> tuple[Run | None, int]:
        """Certify one shard and store it, going on from what an earlier attempt saved.

        Returns:
            The shard's certificates under its run's manifest, or None where its soup is no network and was
            refused; and the draws this attempt made.
        """
        shard = job.shards[index]
        try:
            certifier = self._opener.certifier(job, shard)
        except NegativeVariance as error:
            if job.sweep is None:
                raise
            self._stop_if_ended(job)
            self._storage.refuse_shard(job.id, index, error.message)
            self._say(job, index, self._storage.shard_progress(job, index))
            return None, 0
        inputs = self._storage.read_inputs(job.id)
        part = slice(shard.start, shard.stop)
        saved = self._storage.read_checkpoint(job.id, index)
        done_before = sum(record.total_draws for record in saved or ())
        certificates = certifier.certify(
            self._pixels(job, inputs, part),
            inputs.image_ids[part],
            None if inputs.labels is None else inputs.labels[part],
            self._report(job, shard, done_before),
            saved,
            self._save(job, index),
        )
        manifest = certifier.manifest(job.inputs.dataset, inputs.image_ids)
        run = Run(manifest.model_copy(update={"marks": job.marks}), tuple(certificates))
        self._stop_if_ended(job)
        self._storage.write_shard(job.id, index, run)
        self._storage.remove_checkpoint(job.id, index)
        progress = ShardProgress.of(run)
        self._say(job, index, progress)
        return run, progress.draws_done - done_before

    def _pixels(self, job: Job, inputs: Inputs, part: slice) -> NDArray[np.uint8]:
        """Return the pixels of some images of the job: uploaded ones, or those of its data set, as it was."""
        if inputs.images is not None:
            return inputs.images[part]
        seen = None if inputs.seen is None else inputs.seen[part]
        return self._datasets.pixels(job.inputs.dataset or "", inputs.image_ids[part], seen)

    def _stop_if_needless(self, job: Job, shard: Shard) -> None:
        """Raise ``Interrupted`` if the job has ended or is to, or somebody else has finished the shard."""
        if self._storage.has_shard(job.id, shard.index):
            # What was said here since of the shard's progress is less than what is true of it.
            self._say(job, shard.index, self._storage.shard_progress(job, shard.index))
            raise Interrupted(f"Shard {shard.index} of {job.id} was finished by another worker.")
        if self._storage.asked_to_cancel(job.id):
            raise Interrupted(f"{job.id} was canceled.")
        self._stop_if_ended(job)

    def _stop_if_ended(self, job: Job) -> None:
        """Raise ``Interrupted`` if the job has ended: what is stored after that is missing from its state."""
        if self._storage.read_outcome(job.id) is not None:
            raise Interrupted(f"{job.id} has ended.")

    def _say(self, job: Job, index: int, progress: ShardProgress) -> None:
        """Tell how far a shard is, if the queue's server can be told: what matters lies in storage."""
        with suppress(RedisError):
            self._board.report(job.id, index, progress)

    def _save(self, job: Job, index: int) -> Callable[[Sequence[Record]], None]:
        """Return a callback that stores now and then how far the images are."""
        saved_at = time.monotonic()

        def on_round(records: Sequence[Record]) -> None:
            nonlocal saved_at
            if time.monotonic() - saved_at > CHECKPOINT_SECONDS:
                self._storage.write_checkpoint(job.id, index, records)
                saved_at = time.monotonic()

        return on_round

    def _report(self, job: Job, shard: Shard, draws_done: int) -> Callable[[int], None]:
        """Return a callback that says now and then how many draws of ``shard`` are done.

        It stops the work once it is needless: a cancel takes effect in mid-shard, and so does another worker
        that took this one for dead and has finished its shard.
        """
        said_at = time.monotonic()

        def on_draws(count: int) -> None:
            nonlocal draws_done, said_at
            draws_done += count
            if time.monotonic() - said_at > PROGRESS_SECONDS:
                said_at = time.monotonic()
                self._stop_if_needless(job, shard)
                self._say(job, shard.index, ShardProgress(0, 0, draws_done))

        return on_draws
