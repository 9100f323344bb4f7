"""Laws of the runtime's decisions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from certd.errors import OutOfMemory
from certd.models.runtime.batch_size import best_batch_size, halve_until_it_fits
from certd.models.runtime.compilation import worth_compiling
from certd.models.runtime.threads import oversubscription

SECONDS = st.floats(1e-9, 1e6)
SIZES = st.lists(st.integers(1, 1 << 16), min_size=1, max_size=8, unique=True).map(sorted)


@given(st.integers(1, 1024), st.integers(1, 1024), st.integers(1, 1024))
def test_nothing_is_said_exactly_where_threads_do_not_outnumber_cores(
    num_processes: int, threads: int, cores: int
) -> None:
    """Every thread has a core, or the sentence is there."""
    said = oversubscription(num_processes, threads, cores)
    assert (said is None) == (num_processes * threads <= cores)


@given(st.integers(0, 1 << 40), SECONDS, SECONDS, st.floats(0, 1))
def test_a_job_shorter_than_the_compilation_is_never_compiled(
    draws: int, seconds_a_draw: float, compile_seconds: float, gain: float
) -> None:
    """Compiling is worth it only where the time it saves exceeds the time it takes."""
    if worth_compiling(draws, seconds_a_draw, compile_seconds, gain):
        assert draws * seconds_a_draw > compile_seconds


@given(SIZES, st.floats(0, 1), st.floats(1e-9, 4e-5))
def test_no_other_size_is_faster_by_more_than_is_noticeable(
    sizes: list[int], overhead: float, per_row: float
) -> None:
    """The chosen size is a candidate within two per cent of the fastest."""

    def seconds(size: int) -> float:
        return overhead + per_row * size

    best = best_batch_size(seconds, sizes)
    assert best in sizes
    assert all(best / seconds(best) * 1.03 >= size / seconds(size) for size in sizes)


@given(st.integers(1, 1 << 20), st.integers(1, 1 << 20))
def test_backing_off_gives_away_less_than_half(batch_size: int, memory: int) -> None:
    """The size is at most what was asked and what fits; its double was not asked or did not fit."""

    def fits(size: int) -> None:
        if size > memory:
            raise OutOfMemory("full")

    size = halve_until_it_fits(fits, batch_size)
    assert size <= min(batch_size, memory)
    assert size == batch_size or 2 * size + 1 > memory
