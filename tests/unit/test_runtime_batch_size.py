"""Batch sizes: the fastest that fits."""

from __future__ import annotations

import pytest

from certd.errors import InvalidParameter, OutOfMemory
from certd.models.runtime.batch_size import best_batch_size, halve_until_it_fits


def seconds(size: int, *, overhead: float = 1.0, memory: int = 1 << 20) -> float:
    """Return the time of a batch on a device with a fixed cost a call and so much memory."""
    if size > memory:
        raise OutOfMemory("full")
    return overhead + size / 100


def test_the_fastest_size_is_chosen() -> None:
    """Where every call costs something, larger is faster, and the largest candidate wins."""
    assert best_batch_size(seconds, [16, 64, 256]) == 256


def test_a_size_that_is_faster_by_a_hair_is_not_worth_its_memory() -> None:
    """Within two per cent of the best the smallest size is taken."""
    assert best_batch_size(lambda size: seconds(size, overhead=0.1), [16, 1024, 65536]) == 1024


def test_sizes_beyond_memory_are_not_tried() -> None:
    """The first size that does not fit ends the search."""
    tried: list[int] = []

    def one(size: int) -> float:
        tried.append(size)
        return seconds(size, memory=100)

    assert best_batch_size(one, [16, 64, 256, 1024]) == 64
    assert tried == [16, 64, 256]


def test_a_device_without_room_for_the_first_size_says_so() -> None:
    """Out of memory is an answer, not a size; and no candidates are no question."""
    with pytest.raises(OutOfMemory):
        best_batch_size(lambda size: seconds(size, memory=8), [16, 64])
    with pytest.raises(InvalidParameter):
        best_batch_size(seconds, [])


@pytest.mark.parametrize(
    ("memory", "fitting"), [(1000, 1000), (999, 500), (3, 3), (2, 1), (125, 125), (1, 1)]
)
def test_a_batch_is_halved_until_it_fits(memory: int, fitting: int) -> None:
    """Backing off halves, and stops at the first size that fits."""
    assert halve_until_it_fits(lambda size: seconds(size, memory=memory), 1000) == fitting


def test_backing_off_ends() -> None:
    """Where not even one row fits, the error comes out."""
    with pytest.raises(OutOfMemory):
        halve_until_it_fits(lambda size: seconds(size, memory=0), 1000)
