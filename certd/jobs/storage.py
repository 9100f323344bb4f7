"""Storage: a job is a folder, and what lies in it is the truth.

Every file is written under a temporary name, synced and renamed, so a reader sees a whole file or none, and a
writer that dies leaves only a temporary file behind. Shard files are the same bytes whoever computes them, so
writing one twice changes nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from certd.errors import Gone, NotFound
from certd.jobs.inputs import Inputs, read_inputs, write_inputs
from certd.jobs.job import ID_PATTERN, Job, JobOutcome
from certd.models.runtime.arithmetic import Execution
from certd.smoothing.checkpoint import decode_records, encode_records
from certd.smoothing.run import Run, read_run, write_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from certd.smoothing.draws import Record


class JobStorage:
    """The folder ``root`` that holds one folder a job.

    ::

        jobs/<job id>/job.json, inputs.npz, shards/00017.parquet, checkpoints/00018.json, state.json,
        report/report.json, cancel
        jobs/.gone-<job id>
        promises/<digest of an idempotency key>
    """

    def __init__(self, root: Path) -> None:
        self._jobs = root / "jobs"
        self._jobs.mkdir(parents=True, exist_ok=True)
        self._promises = root / "promises"
        self._promises.mkdir(exist_ok=True)

    def promise(self, name: str, content: bytes) -> bytes:
        """Write a small file once, and return what it holds: one of those who write at once wins.

        Args:
            name: Letters and digits only.
            content: Not empty.
        """
        path = self._promises / name
        _create_once(path, content)
        return path.read_bytes()

    def break_promise(self, name: str) -> None:
        """Forget what :meth:`promise` wrote."""
        (self._promises / name).unlink(missing_ok=True)

    def folder(self, job_id: str) -> Path:
        """Return the job's folder.

        Raises:
            NotFound: If there never was such a job.
            Gone: If it was deleted.
        """
        folder = self._jobs / job_id
        # Looked at before any file is: an id comes from whoever asks.
        if not re.fullmatch(ID_PATTERN, job_id):
            raise NotFound(f"There is no job {job_id!r}.")
        if not (folder / "job.json").is_file():
            if self._tombstone(job_id).exists():
                raise Gone(f"The job {job_id} was deleted, or has expired.")
            raise NotFound(f"There is no job {job_id!r}.")
        return folder

    def delete(self, job_id: str) -> None:
        """Delete a job with all that it holds; what remains is that it existed.

        It disappears in one step, also for a worker in the middle of it: whatever that writes goes nowhere.
        """
        folder = self.folder(job_id)
        _create_once(self._tombstone(job_id), (self.read(job_id).owner or "").encode())
        doomed = Path(tempfile.mkdtemp(prefix=".new-", dir=self._jobs))
        folder.rename(doomed / "job")
        _sync_folder(self._jobs)
        shutil.rmtree(doomed, ignore_errors=True)

    def owner_of(self, job_id: str) -> str | None:
        """Return whose a job is, or was.

        Raises:
            NotFound: If there never was such a job.
        """
        try:
            return self.read(job_id).owner
        except Gone:
            return self._tombstone(job_id).read_text() or None

    def ask_to_cancel(self, job_id: str) -> bool:
        """Note that a job is to stop; it outlives queue and processes. Returns whether it is news."""
        return _create_once(self.folder(job_id) / "cancel", b"")

    def asked_to_cancel(self, job_id: str) -> bool:
        """Return whether a job is to stop."""
        return (self.folder(job_id) / "cancel").exists()

    def _tombstone(self, job_id: str) -> Path:
        return self._jobs / f".gone-{job_id}"

    def create(self, job: Job, inputs: Inputs) -> None:
        """Store a new job; it appears whole or not at all."""
        draft = Path(tempfile.mkdtemp(prefix=".new-", dir=self._jobs))
        try:
            (draft / "shards").mkdir()
            (draft / "checkpoints").mkdir()
            (draft / "report").mkdir()
            with _replacing(draft / "inputs.npz") as stream:
                write_inputs(stream, inputs)
            with _replacing(draft / "job.json") as stream:
                stream.write(job.model_dump_json(indent=2).encode())
            draft.rename(self._jobs / job.id)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        _sync_folder(self._jobs)

    def read(self, job_id: str) -> Job:
        """Return the job as it was asked for."""
        return Job.model_validate_json((self.folder(job_id) / "job.json").read_bytes())

    def job_ids(self) -> list[str]:
        """Return all jobs, newest first."""
        return sorted(
            (path.name for path in self._jobs.iterdir() if path.name.startswith("job_")), reverse=True
        )

    def unfinished_ids(self) -> list[str]:
        """Return the jobs without a terminal state, oldest first."""
        return [name for name in reversed(self.job_ids()) if not (self._jobs / name / "state.json").exists()]

    def read_inputs(self, job_id: str) -> Inputs:
        """Return the uploaded images or the ids inside the data set, with labels where known."""
        with (self.folder(job_id) / "inputs.npz").open("rb") as stream:
            return read_inputs(stream)

    def write_shard(self, job_id: str, index: int, run: Run) -> None:
        """Store the certificates of one shard; a second time is harmless."""
        with _replacing(self._shard_path(job_id, index)) as stream:
            write_run(stream, run)

    def finished_shards(self, job_id: str) -> set[int]:
        """Return the indices of the shards whose certificates lie in the folder."""
        return {int(path.stem) for path in (self.folder(job_id) / "shards").glob("[0-9]*.parquet")}

    def has_shard(self, job_id: str, index: int) -> bool:
        """Return whether one shard's certificates lie in the folder."""
        return self._shard_path(job_id, index).exists()

    def read_shard(self, job_id: str, index: int) -> Run:
        """Return what one finished shard certified."""
        with self._shard_path(job_id, index).open("rb") as stream:
            return read_run(stream)

    def read_run(self, job_id: str) -> Run | None:
        """Return the certificates of all finished shards in the job's order; None before the first."""
        parts = [self.read_shard(job_id, index) for index in sorted(self.finished_shards(job_id))]
        if not parts:
            return None
        return Run(
            parts[0].manifest, tuple(certificate for part in parts for certificate in part.certificates)
        )

    def write_checkpoint(self, job_id: str, index: int, records: Sequence[Record]) -> None:
        """Store how far a shard's images are, for the next attempt to go on from."""
        with _replacing(self._checkpoint_path(job_id, index)) as stream:
            stream.write(encode_records(records))

    def read_checkpoint(self, job_id: str, index: int) -> list[Record] | None:
        """Return how far an earlier attempt came with a shard; None if nothing was saved."""
        path = self._checkpoint_path(job_id, index)
        return decode_records(path.read_bytes()) if path.exists() else None

    def remove_checkpoint(self, job_id: str, index: int) -> None:
        """Forget a checkpoint once its shard is stored."""
        self._checkpoint_path(job_id, index).unlink(missing_ok=True)

    def read_execution(self, job_id: str) -> Execution | None:
        """Return how the job's classifier is executed, or None while no worker has begun."""
        path = self.folder(job_id) / "execution.json"
        return Execution.model_validate_json(path.read_bytes()) if path.exists() else None

    def pin_execution(self, job_id: str, execution: Execution) -> Execution:
        """Let the first worker of a job decide how its classifier is executed, and return what it decided."""
        path = self.folder(job_id) / "execution.json"
        _create_once(path, execution.model_dump_json(indent=2).encode())
        return Execution.model_validate_json(path.read_bytes())

    def write_outcome(self, job_id: str, outcome: JobOutcome) -> bool:
        """Store the terminal state, unless there is one already.

        Returns:
            Whether this call was the one that ended the job.
        """
        return _create_once(self.folder(job_id) / "state.json", outcome.model_dump_json(indent=2).encode())

    def read_outcome(self, job_id: str) -> JobOutcome | None:
        """Return the terminal state, or None while there is none."""
        path = self.folder(job_id) / "state.json"
        return JobOutcome.model_validate_json(path.read_bytes()) if path.exists() else None

    def write_report(self, job_id: str, name: str, content: bytes) -> Path:
        """Store one rendered report file and return where it lies."""
        path = self.folder(job_id) / "report" / name
        with _replacing(path) as stream:
            stream.write(content)
        return path

    def read_report(self, job_id: str, name: str) -> bytes | None:
        """Return one rendered report file, or None while it is not rendered."""
        path = self.folder(job_id) / "report" / name
        return path.read_bytes() if path.exists() else None

    def _checkpoint_path(self, job_id: str, index: int) -> Path:
        return self.folder(job_id) / "checkpoints" / f"{index:05d}.json"

    def _shard_path(self, job_id: str, index: int) -> Path:
        return self.folder(job_id) / "shards" / f"{index:05d}.parquet"


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file that takes the place of ``path`` once it is complete and synced."""
    handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _create_once(path: Path, content: bytes) -> bool:
    """Write a whole file unless it exists; return whether this call wrote it."""
    draft = path.with_name(f".{path.name}-{os.getpid()}-{os.urandom(4).hex()}")
    _write_synced(draft, content)
    try:
        # A hard link fails where the name exists: of two that write at once, one wins.
        path.hardlink_to(draft)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    _sync_folder(path.parent)
    return True


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
