"""The storage of jobs: a job is a folder, and what lies in it is the truth.

Shard files are the same bytes whoever computes them, so writing one twice changes nothing. A job is there as
soon as its ``job.json`` is, which is written last and removed first.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING

from certd.errors import Conflict, Gone, InvalidParameter, NotFound, StorageAway
from certd.jobs.begun import Begun
from certd.jobs.inputs import Inputs, read_image, read_inputs, write_inputs
from certd.jobs.job import ID_PATTERN, Job, JobOutcome
from certd.jobs.progress import ShardProgress
from certd.models.runtime.arithmetic import Execution
from certd.smoothing.checkpoint import decode_records, encode_records
from certd.smoothing.run import Run, read_run, write_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from certd.jobs.shards import Shard
    from certd.smoothing.draws import Record
    from certd.storage import Store

JOBS, UNFINISHED, PROMISES = "jobs", "unfinished", "promises"
GONE, CERTIFIED = ".gone-", ".parquet"
SHARD = re.compile(r"(\d{5,})\.(?:parquet|refused)")
REMEMBERED = 256
"""Jobs kept in memory; one of ten thousand images is about a megabyte."""
STORING_SECONDS = 3600.0
"""After so long a job that is still not whole was being stored by a process that died."""


class JobStorage:
    """The jobs in a store.

    ::

        jobs/<job id>/job.json, inputs.npz, shards/00017.parquet, checkpoints/00018.json, execution.json,
        state.json, report/report.json, cancel
        jobs/<job id>/shards/00019.refused       of a sweep, a shard of a soup that is no network
        jobs/<job id>/begun/00002.json           of a sweep, which classifier a run certifies
        jobs/.gone-<job id>                      a job that was deleted
        unfinished/<job id>                      a job that may have no state.json yet
        promises/<digest of an idempotency key>, or <job id> after a promise of that job that was not kept

    Args:
        store: Where all of it lies.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._parsed = lru_cache(REMEMBERED)(self._parse)

    def promise(self, name: str, content: bytes) -> bytes:
        """Write a small file once, and return what it holds: one of those who write at once wins.

        Args:
            name: A digest, or the id of a job that was promised and not made.
            content: Not empty.
        """
        while not self._store.create(f"{PROMISES}/{name}", content):
            # Broken between the two, it is free again.
            with suppress(FileNotFoundError):
                return self._store.read(f"{PROMISES}/{name}")
        return content

    def break_promise(self, name: str) -> None:
        """Forget what :meth:`promise` wrote."""
        self._store.remove(f"{PROMISES}/{name}")

    def require(self, job_id: str) -> None:
        """Refuse a job that is not there.

        Raises:
            NotFound: If there never was such a job.
            Gone: If it was deleted.
        """
        self._folder(job_id)

    def create(self, job: Job, inputs: Inputs) -> None:
        """Store a new job; it appears whole or not at all.

        Raises:
            Conflict: If its idempotency key was given to another request meanwhile.
        """
        folder = f"{JOBS}/{job.id}"
        try:
            # The reconciler must find whatever exists, so it is told of the job before that does.
            self._store.create(f"{UNFINISHED}/{job.id}", b"")
            with self._store.writing(f"{folder}/inputs.npz") as stream:
                write_inputs(stream, inputs)
            self._require_promise(job.id)
            self._store.create(f"{folder}/job.json", job.model_dump_json(indent=2).encode())
            # Asked again: who follows looks for the job once more, too, so one of the two sees the other.
            self._require_promise(job.id)
        except BaseException:
            self._store.remove_folder(folder)
            self._store.remove(f"{UNFINISHED}/{job.id}")
            raise

    def delete(self, job_id: str) -> None:
        """Delete a job with all that it holds; what remains is that it existed.

        From the first step on it is gone for every reader, and for a worker in the middle of it.
        """
        owner = self.read(job_id).owner or ""
        self._store.create(f"{JOBS}/{GONE}{job_id}", owner.encode())
        self._remove(job_id)

    def sweep(self) -> int:
        """Remove what killed processes left of jobs that are not there; return of how many it was tried.

        What cannot be removed is left to the next sweep, and holds no other up.
        """
        names, unfinished = set(self._store.children(JOBS)), self.unfinished_ids()
        gone = {name for name in names.union(unfinished) if GONE + name in names}
        settled = {name for name in unfinished if name not in gone and self._is_settled(name)}
        for job_id in gone:
            with suppress(StorageAway):
                self._remove(job_id)
        for job_id in settled:
            with suppress(StorageAway):
                if "job.json" not in self._held(job_id):
                    self._store.remove_folder(f"{JOBS}/{job_id}")
                self._store.remove(f"{UNFINISHED}/{job_id}")
        return len(gone | settled)

    def owner_of(self, job_id: str) -> str | None:
        """Return whose a job is, or was.

        Raises:
            NotFound: If there never was such a job.
        """
        try:
            return self.read(job_id).owner
        except Gone:
            return self._store.read(f"{JOBS}/{GONE}{job_id}").decode() or None

    def ask_to_cancel(self, job_id: str) -> bool:
        """Note that a job is to stop; it outlives queue and processes. Returns whether it is news."""
        return self._store.create(f"{self._folder(job_id)}/cancel", b"")

    def asked_to_cancel(self, job_id: str) -> bool:
        """Return whether a job is to stop."""
        return self._store.exists(f"{self._folder(job_id)}/cancel")

    def read(self, job_id: str) -> Job:
        """Return the job as it was asked for, which never changes while it is there."""
        self._folder(job_id)
        return self._parsed(job_id)

    def job_ids(self) -> list[str]:
        """Return all jobs, newest first; one that is just being stored or deleted may be among them."""
        names = set(self._store.children(JOBS))
        return sorted((name for name in names if name[0] != "." and GONE + name not in names), reverse=True)

    def unfinished_ids(self) -> list[str]:
        """Return the jobs without a terminal state, oldest first; one just being stored may be among them."""
        return sorted(self._store.children(UNFINISHED))

    def read_inputs(self, job_id: str) -> Inputs:
        """Return the uploaded images or the ids inside the data set, with labels where known."""
        with self._store.open(f"{self._folder(job_id)}/inputs.npz") as stream:
            return read_inputs(stream)

    def read_image(self, job_id: str, image_id: int) -> NDArray[np.uint8] | None:
        """Return one uploaded image, uint8[channel, height, width]; None if there is none of that id."""
        with self._store.open(f"{self._folder(job_id)}/inputs.npz") as stream:
            return read_image(stream, image_id)

    def write_shard(self, job_id: str, index: int, run: Run) -> None:
        """Store the certificates of one shard; a second time is harmless."""
        with self._store.writing(self._shard(job_id, index)) as stream:
            write_run(stream, run)

    def refuse_shard(self, job_id: str, index: int, why: str) -> None:
        """Note that a shard has no certificates and never will, since its soup is no network."""
        self._store.write(self._refusal(job_id, index), why.encode())

    def read_refusal(self, job_id: str, index: int) -> str | None:
        """Return why a shard has no certificates; None if it has some, or is not finished."""
        found = self._read_if_there(self._refusal(job_id, index))
        return None if found is None else found.decode()

    def finished_shards(self, job_id: str) -> set[int]:
        """Return the indices of the shards whose certificates, or refusals, lie in the folder."""
        return {int(found[1]) for found in self._shards(job_id)}

    def has_shard(self, job_id: str, index: int) -> bool:
        """Return whether one shard's certificates, or its refusal, lie in the folder."""
        return self._store.exists(self._shard(job_id, index)) or self._store.exists(
            self._refusal(job_id, index)
        )

    def shard_progress(self, job: Job, index: int) -> ShardProgress:
        """Return how far a finished shard is: all of it, also where its soup was refused."""
        if job.sweep is not None and self.read_refusal(job.id, index) is not None:
            return ShardProgress(len(job.shards[index]), 0, 0)
        return ShardProgress.of(self.read_shard(job.id, index))

    def read_shard(self, job_id: str, index: int) -> Run:
        """Return what one finished shard certified."""
        with self._store.open(self._shard(job_id, index)) as stream:
            return read_run(stream)

    def run_shards(self, job_id: str, number: int | None = None) -> tuple[Shard, ...]:
        """Return the shards of one run of a job, in the order of the images.

        Args:
            job_id: The job.
            number: Which run of a sweep; None for a job that makes one.

        Raises:
            InvalidParameter: If a sweep is asked for without a number, or for one that it has not: what it
                has proved is of many classifiers, and no reader may take it for one.
        """
        job = self.read(job_id)
        if job.sweep is None and not number:
            return job.shards
        if number is None or not 0 <= number < job.num_runs:
            what = "is a sweep of" if job.sweep else "has"
            raise InvalidParameter(
                f"Job {job_id} {what} {job.num_runs:,} run{'s' if job.num_runs > 1 else ''}; name one by its "
                f"number, run=0 to {job.num_runs - 1}.",
                pointer="/run",
            )
        size = len(job.shards) // job.num_runs
        return job.shards[number * size : (number + 1) * size]

    def read_run(self, job_id: str, number: int | None = None) -> Run | None:
        """Return the certificates of all finished shards in the job's order; None before the first.

        Args:
            job_id: The job.
            number: Which run of a sweep.

        Raises:
            InvalidParameter: As :meth:`run_shards` does.
        """
        finished = self.certified_shards(job_id)
        wanted = [shard.index for shard in self.run_shards(job_id, number) if shard.index in finished]
        parts = [self.read_shard(job_id, index) for index in wanted]
        if not parts:
            return None
        return Run(
            parts[0].manifest, tuple(certificate for part in parts for certificate in part.certificates)
        )

    def certified_shards(self, job_id: str) -> set[int]:
        """Return the indices of the shards whose certificates lie in the folder."""
        return {int(found[1]) for found in self._shards(job_id) if found[0].endswith(CERTIFIED)}

    def write_checkpoint(self, job_id: str, index: int, records: Sequence[Record]) -> None:
        """Store how far a shard's images are, for the next attempt to go on from."""
        self._store.write(self._checkpoint(job_id, index), encode_records(records))

    def read_checkpoint(self, job_id: str, index: int) -> list[Record] | None:
        """Return how far an earlier attempt came with a shard; None if nothing was saved."""
        saved = self._read_if_there(self._checkpoint(job_id, index))
        return None if saved is None else decode_records(saved)

    def remove_checkpoint(self, job_id: str, index: int) -> None:
        """Forget a checkpoint once its shard is stored."""
        self._store.remove(self._checkpoint(job_id, index))

    def read_execution(self, job_id: str) -> Execution | None:
        """Return how the job's classifier is executed, or None while no worker has begun."""
        found = self._read_if_there(f"{self._folder(job_id)}/execution.json")
        return None if found is None else Execution.model_validate_json(found)

    def pin_execution(self, job_id: str, execution: Execution) -> Execution:
        """Let the first worker of a job decide how its classifier is executed, and return what it decided."""
        name = f"{self._folder(job_id)}/execution.json"
        self._store.create(name, execution.model_dump_json(indent=2).encode())
        return Execution.model_validate_json(self._store.read(name))

    def begin_run(self, job_id: str, number: int, begun: Begun) -> Begun:
        """Let the first worker at a run of a sweep say which classifier it is, and return what it said."""
        name = f"{self._folder(job_id)}/begun/{number:05d}.json"
        self._store.create(name, begun.model_dump_json(indent=2).encode())
        return Begun.model_validate_json(self._store.read(name))

    def read_begun(self, job_id: str, number: int) -> Begun | None:
        """Return which classifier a run of a sweep certifies, or None while no worker has begun it."""
        found = self._read_if_there(f"{self._folder(job_id)}/begun/{number:05d}.json")
        return None if found is None else Begun.model_validate_json(found)

    def write_outcome(self, job_id: str, outcome: JobOutcome) -> bool:
        """Store the terminal state, unless there is one already.

        Returns:
            Whether this call was the one that ended the job.
        """
        name = f"{self._folder(job_id)}/state.json"
        ended = self._store.create(name, outcome.model_dump_json(indent=2).encode())
        self._store.remove(f"{UNFINISHED}/{job_id}")
        return ended

    def read_outcome(self, job_id: str) -> JobOutcome | None:
        """Return the terminal state, or None while there is none."""
        found = self._read_if_there(f"{self._folder(job_id)}/state.json")
        return None if found is None else JobOutcome.model_validate_json(found)

    def write_report(self, job_id: str, name: str, content: bytes) -> None:
        """Store one rendered report file."""
        self._store.write(f"{self._folder(job_id)}/report/{name}", content)

    def read_report(self, job_id: str, name: str) -> bytes | None:
        """Return one rendered report file, or None while it is not rendered."""
        return self._read_if_there(f"{self._folder(job_id)}/report/{name}")

    def _folder(self, job_id: str) -> str:
        """Return the folder of a job that is there."""
        # Looked at before any name is made of it: an id comes from whoever asks.
        if not re.fullmatch(ID_PATTERN, job_id):
            raise NotFound(f"There is no job {job_id!r}.")
        folder = f"{JOBS}/{job_id}"
        if not self._store.exists(f"{folder}/job.json"):
            if self._store.exists(f"{JOBS}/{GONE}{job_id}"):
                raise Gone(f"The job {job_id} was deleted, or has expired.")
            raise NotFound(f"There is no job {job_id!r}.")
        return folder

    def _remove(self, job_id: str) -> None:
        """Remove what is left of a job that is gone; whoever is killed at it leaves enough for the sweep."""
        self._store.remove(f"{JOBS}/{job_id}/job.json")
        self._store.remove_folder(f"{JOBS}/{job_id}")
        self._store.remove(f"{UNFINISHED}/{job_id}")

    def _require_promise(self, job_id: str) -> None:
        """Refuse to make a job whose promise was followed by another one."""
        if self._store.exists(f"{PROMISES}/{job_id}"):
            raise Conflict(
                "This request took so long that another one with its Idempotency-Key was taken in its place. "
                "Send it again to find that one's job."
            )

    def _held(self, job_id: str) -> list[str]:
        """Return what a folder of a job holds; nothing if it is not there."""
        return self._store.children(f"{JOBS}/{job_id}")

    def _is_settled(self, job_id: str) -> bool:
        """Return whether a job that is noted as unfinished is not: it ended, or never came to be."""
        try:
            held = self._held(job_id)
            if "job.json" in held:
                return "state.json" in held
            noted_at = self._store.modified_at(f"{UNFINISHED}/{job_id}")
        except (FileNotFoundError, StorageAway):
            return False
        return time.time() - noted_at > STORING_SECONDS

    def _parse(self, job_id: str) -> Job:
        try:
            return Job.model_validate_json(self._store.read(f"{JOBS}/{job_id}/job.json"))
        except FileNotFoundError:
            raise Gone(f"The job {job_id} was deleted, or has expired.") from None

    def _shards(self, job_id: str) -> list[re.Match[str]]:
        """Return the names of finished shards; what else lies beside them says nothing of a shard."""
        names = self._store.children(f"{self._folder(job_id)}/shards")
        return [found for name in names if (found := SHARD.fullmatch(name))]

    def _read_if_there(self, name: str) -> bytes | None:
        try:
            return self._store.read(name)
        except FileNotFoundError:
            return None

    def _checkpoint(self, job_id: str, index: int) -> str:
        return f"{self._folder(job_id)}/checkpoints/{index:05d}.json"

    def _shard(self, job_id: str, index: int) -> str:
        return f"{self._folder(job_id)}/shards/{index:05d}{CERTIFIED}"

    def _refusal(self, job_id: str, index: int) -> str:
        return f"{self._folder(job_id)}/shards/{index:05d}.refused"
