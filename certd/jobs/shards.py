"""The plan of work: a job's images cut into slices of a few seconds each."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

TARGET_SECONDS = 3.0
UNMEASURED_DRAWS_PER_SECOND = 50_000.0


class Shard(BaseModel):
    """The images ``[start, stop)`` of a job, certified and written as one file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def cut(
    num_images: int,
    draws_per_image: int,
    draws_per_second: float | None = None,
    target_seconds: float = TARGET_SECONDS,
) -> tuple[Shard, ...]:
    """Cut a job so that one shard takes about ``target_seconds``, and holds at least one image.

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
    edges = [index * num_images // count for index in range(count + 1)]
    return tuple(Shard(index=i, start=edges[i], stop=edges[i + 1]) for i in range(count))
