"""The plan of work: a job's images cut into slices of a few seconds each."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

TARGET_SECONDS = 3.0
UNMEASURED_DRAWS_PER_SECOND = 50_000.0
SHARED_BY = 4
"""Of more than two shards there are a multiple of so many: two workers, or four, end together."""


class Shard(BaseModel):
    """The images ``[start, stop)`` of one run of a job, certified and written as one file.

    Attributes:
        index: Its number in the job.
        start: The first of its images.
        stop: One past the last of them.
        run: Which run of the job; a job makes one, but a sweep makes one a soup and noise level.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: int
    start: int
    stop: int
    run: int = 0

    def __len__(self) -> int:
        return self.stop - self.start


def cut(
    num_images: int,
    draws_per_image: int,
    draws_per_second: float | None = None,
    target_seconds: float = TARGET_SECONDS,
) -> tuple[Shard, ...]:
    """Cut a job so that one shard takes ``target_seconds`` or a little less, and holds at least one image.

    Args:
        num_images: Images of the job, at least 1.
        draws_per_image: The most draws one image can cost.
        draws_per_second: The model's measured speed, or None while nobody has measured it.
        target_seconds: What a kill may cost at most, and how long a cancel may take.

    Returns:
        Shards that cover every image exactly once, in order, of sizes that differ by at most one.
    """
    budget = (draws_per_second or UNMEASURED_DRAWS_PER_SECOND) * target_seconds
    size = max(1, min(num_images, int(budget // draws_per_image)))
    count = -(-num_images // size)
    if count > SHARED_BY // 2:
        count = min(num_images, count + -count % SHARED_BY)
    edges = [index * num_images // count for index in range(count + 1)]
    return tuple(Shard(index=i, start=edges[i], stop=edges[i + 1]) for i in range(count))


def cut_runs(num_runs: int, run: tuple[Shard, ...]) -> tuple[Shard, ...]:
    """Return the shards of several runs of the same images, each cut as ``run`` is, one run after another."""
    return tuple(
        Shard(index=number * len(run) + part.index, start=part.start, stop=part.stop, run=number)
        for number in range(num_runs)
        for part in run
    )
