"""What a worker does with a message: one attempt at one shard, and what follows from it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from certd.errors import CertdError, Gone, Interrupted, ModelError, NotFound, StorageAway, StorageFull
from certd.jobs import keys
from certd.jobs.finish import Finisher
from certd.models.soup_specification import ENSEMBLE

if TYPE_CHECKING:
    from redis import Redis

    from certd.jobs.dispatch import Dispatcher
    from certd.jobs.job import Job
    from certd.jobs.progress import ProgressBoard
    from certd.jobs.storage import JobStorage
    from certd.smoothing.run import Run
    from workers.metrics import WorkerMetrics
    from workers.pulse import Pulse
    from workers.shards import ShardWork

log = structlog.get_logger("workers")

PAUSE_SECONDS = 2.0
"""Before the second attempt at a shard; doubled before each one after it."""


class Tasks:
    """The actor behind the queue's messages.

    Every way out of an attempt leads somewhere: a finished shard, a job that ended with its evidence, or a
    shard that the dispatcher sends again. Attempts are counted before the work, so an input that kills its
    worker ends its job after ``max_attempts``.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the parts it works with
        self,
        storage: JobStorage,
        redis: Redis,
        board: ProgressBoard,
        dispatcher: Dispatcher,
        work: ShardWork,
        pulse: Pulse,
        metrics: WorkerMetrics,
        max_attempts: int,
    ) -> None:
        self._metrics = metrics
        self._storage = storage
        self._redis = redis
        self._board = board
        self._finisher = Finisher(storage, board)
        self._dispatcher = dispatcher
        self._work = work
        self._pulse = pulse
        self._max_attempts = max_attempts

    def certify_shard(self, job_id: str, index: int) -> None:
        """Do what a message asks, unless it is done already."""
        try:
            self._do(self._storage.read(job_id), index)
        except (NotFound, Gone):
            log.warning("job_gone", job_id=job_id, shard=index)
        except (StorageFull, StorageAway) as error:
            _log_failed_storage(job_id, index, error)

    def _do(self, job: Job, index: int) -> None:
        job_id = job.id
        if self._is_wanted(job_id, index):
            with (
                self._pulse.holding(job_id, index),
                structlog.contextvars.bound_contextvars(request_id=job.request_id),
            ):
                self._bring_forward(job, index)
        if self._storage.read_outcome(job_id) is None:
            self._dispatcher.dispatch(job)
            self._finisher.end_if_complete(job)
            self._finisher.end_if_canceled(job, self._dispatcher.busy(job))

    def _is_wanted(self, job_id: str, index: int) -> bool:
        """Return whether a shard is to be begun here: a message may be one of several, or come late.

        A shard that another live worker has in hand is not. Should that one die, its own message comes back.
        """
        if self._storage.read_outcome(job_id) is not None or self._storage.asked_to_cancel(job_id):
            return False
        return not self._pulse.claimed_elsewhere(job_id, index)

    def _bring_forward(self, job: Job, index: int) -> None:
        if index in self._storage.finished_shards(job.id):
            return
        attempt = self._begin_attempt(job, index)
        if attempt > self._max_attempts:
            self._give_up(job, index)
        else:
            self._attempt(job, index, attempt)

    def _attempt(self, job: Job, index: int, attempt: int) -> None:
        began = time.monotonic()
        try:
            run, drawn = self._work.run(job, index)
        except Interrupted as error:
            self._take_back_attempt(job, index)
            log.info("shard_interrupted", job_id=job.id, shard=index, detail=error.message)
        except Gone:
            raise
        except (StorageFull, StorageAway) as error:
            # No fault of the shard's, so no attempt of it. It stays among those sent, and is sent again once
            # those count as lost: a pause in which there may come to be room, or an answer.
            self._take_back_attempt(job, index)
            _log_failed_storage(job.id, index, error)
        except CertdError as error:
            self._after_error(job, index, attempt, error)
        except Exception as error:  # noqa: BLE001
            wrapped = ModelError(f"{type(error).__name__}: {error}")
            self._after_error(job, index, attempt, wrapped, may_pass=True)
        else:
            self._after_success(job, index, attempt, run, drawn, time.monotonic() - began)

    def _after_success(  # noqa: PLR0913, PLR0917 - what the log line says
        self, job: Job, index: int, attempt: int, run: Run | None, drawn: int, seconds: float
    ) -> None:
        if run is None:
            log.info("soup_refused", job_id=job.id, shard=index)
            return
        draws = sum(certificate.record.total_draws for certificate in run.certificates)
        if not _is_ensemble(job, index):
            self._redis.set(keys.speed(job.timed_model), drawn / seconds, ex=keys.LIFETIME_SECONDS)
        self._metrics.shard_certified(run, drawn, seconds)
        log.info(
            "shard_certified",
            job_id=job.id,
            shard=index,
            attempt=attempt,
            num_images=len(run.certificates),
            draws=draws,
            drawn=drawn,
            duration_seconds=round(seconds, 3),
        )

    def _after_error(
        self, job: Job, index: int, attempt: int, error: CertdError, *, may_pass: bool = False
    ) -> None:
        """Try again later what may pass; end the job on what cannot."""
        retry = error.retryable or may_pass
        self._metrics.attempt_failed(error, 0 if retry else len(job.shards[index]))
        log.warning("attempt_failed", job_id=job.id, shard=index, code=error.code, detail=error.message)
        if retry:
            self._redis.hset(keys.failures(job.id), str(index), error.message)
            self._dispatcher.put_off(job.id, index, PAUSE_SECONDS * 2 ** (attempt - 1))
        else:
            self._finisher.fail(job.id, error, shard=index)

    def _begin_attempt(self, job: Job, index: int) -> int:
        self._board.start(job.id)
        return self._count_attempts(job, index, 1)

    def _take_back_attempt(self, job: Job, index: int) -> None:
        """Forget an attempt whose end says nothing of its shard."""
        self._count_attempts(job, index, -1)

    def _count_attempts(self, job: Job, index: int, more: int) -> int:
        key = keys.attempts(job.id)
        attempts = int(self._redis.hincrby(key, str(index), more))
        self._redis.expire(key, keys.LIFETIME_SECONDS)
        return attempts

    def _give_up(self, job: Job, index: int) -> None:
        shard = job.shards[index]
        self._metrics.images_failed(len(shard))
        last = str(self._redis.hget(keys.failures(job.id), str(index)) or "")
        cause = f"The last error was: {last}" if last else "Its worker died each time without saying why."
        error = ModelError(
            f"Images {shard.start} to {shard.stop - 1}{_of_which(job, index)} failed "
            f"{self._max_attempts} times. {cause} "
            "Finished images are kept; submit the rest without the offending images."
        )
        self._finisher.fail(job.id, error, shard=index, attempts=self._max_attempts)
        log.error("job_failed", job_id=job.id, shard=index, attempts=self._max_attempts)


def _log_failed_storage(job_id: str, index: int, error: CertdError) -> None:
    event = "storage_full" if isinstance(error, StorageFull) else "storage_away"
    log.warning(event, job_id=job_id, shard=index, detail=error.message)


def _of_which(job: Job, index: int) -> str:
    """Return of which soup a sweep's shard is, in words."""
    if job.sweep is None:
        return ""
    member, sigma = job.sweep.question.runs[job.shards[index].run]
    return f" of {job.sweep.question.name(member)} at sigma {sigma:g}"


def _is_ensemble(job: Job, index: int) -> bool:
    """Return whether a shard is of a sweep's ensemble, which is slower than the models it is made of."""
    if job.sweep is None:
        return False
    return job.sweep.question.runs[job.shards[index].run][0] == ENSEMBLE
