"""What jobs have proved so far, kept in memory while readers page through it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from certd.reports import results_of
from certd.smoothing.run import Run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certd.jobs.storage import JobStorage
    from certd.reports.results import Results
    from certd.smoothing.certificate import Certificate

REMEMBERED_IMAGES = 20_000
"""Kept over all jobs, at about three kilobytes each; the job that was read last stays whatever its size."""


@dataclass(frozen=True)
class FinishedImages:
    """The images of one job that are finished, in the job's order.

    Attributes:
        parts: The run of each finished shard.
        starts: Where in the job each shard begins.
    """

    parts: Mapping[int, Run]
    starts: Mapping[int, int]

    def __len__(self) -> int:
        return sum(len(part.certificates) for part in self.parts.values())

    @cached_property
    def run(self) -> Run:
        """Return the finished images as one run; there must be one."""
        manifest = next(iter(self.parts.values())).manifest
        return Run(manifest, tuple(certificate for _, certificate in self.placed))

    @cached_property
    def placed(self) -> tuple[tuple[int, Certificate], ...]:
        """Return each certificate after its image's place in the job, which never changes."""
        return tuple(
            (self.starts[index] + offset, certificate)
            for index in sorted(self.parts)
            for offset, certificate in enumerate(self.parts[index].certificates)
        )

    @cached_property
    def results(self) -> Results:
        """Return what the reports read."""
        return results_of(self.run)

    def find(self, image_id: int) -> Certificate | None:
        """Return an image's certificate; None while it is not finished."""
        return self._by_id.get(image_id)

    @cached_property
    def _by_id(self) -> dict[int, Certificate]:
        return {certificate.record.image_id: certificate for _, certificate in self.placed}


class FinishedRuns:
    """Reads the finished shards of jobs, each once: a shard never changes.

    Args:
        storage: Where the jobs lie.
    """

    def __init__(self, storage: JobStorage) -> None:
        self._storage = storage
        self._kept: OrderedDict[tuple[str, int], FinishedImages] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, job_id: str, number: int | None = None) -> FinishedImages:
        """Return what is finished of a job.

        Args:
            job_id: The job.
            number: Which run of a sweep.

        Raises:
            InvalidParameter: If the job is a sweep and no run of it is named.
            NotFound: If there never was such a job.
            Gone: If it was deleted.
        """
        shards = self._storage.run_shards(job_id, number)
        finished = self._storage.certified_shards(job_id) & {shard.index for shard in shards}
        name = (job_id, number or 0)
        with self._lock:
            known = self._kept.get(name)
        if known is None or known.parts.keys() != finished:
            before = {} if known is None else known.parts
            parts = {
                index: before[index] if index in before else self._storage.read_shard(job_id, index)
                for index in finished
            }
            known = FinishedImages(parts, {shard.index: shard.start for shard in shards})
        self._keep(name, known)
        return known

    def _keep(self, name: tuple[str, int], images: FinishedImages) -> None:
        with self._lock:
            self._kept[name] = images
            self._kept.move_to_end(name)
            while len(self._kept) > 1 and sum(map(len, self._kept.values())) > REMEMBERED_IMAGES:
                self._kept.popitem(last=False)
