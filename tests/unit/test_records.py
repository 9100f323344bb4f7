"""The record of an image: what was counted, once each."""

from __future__ import annotations

import numpy as np
import pytest

from certd.errors import InvalidParameter
from certd.smoothing import Draws, Phase, Record

EMPTY = Record(image_id=7, image_sha256="0" * 64)


def test_phases_own_disjoint_draw_indices() -> None:
    """No draw of one phase has the stream index of another phase's draw."""
    last = (1 << 30) - 1
    spans = [(phase.index(0), phase.index(last)) for phase in Phase]
    for i, (first, end) in enumerate(spans):
        assert end < 1 << 32
        assert all(end < other or last_other < first for other, last_other in spans[:i] + spans[i + 1 :])


def test_counts_of_consecutive_draws_add_up() -> None:
    """Two stages of one phase are one tally of their sum."""
    once = EMPTY.observe(Draws(Phase.ESTIMATION, 0, 10), np.array([7, 3]))
    twice = once.observe(Draws(Phase.ESTIMATION, 10, 15), np.array([1, 4]))
    assert twice.tallies[Phase.ESTIMATION].counts.tolist() == [8, 7]
    assert twice.drawn(Phase.ESTIMATION) == 15
    assert EMPTY.total_draws == 0


def test_the_same_draws_cannot_be_counted_twice() -> None:
    """A range that does not continue where the phase stands is refused."""
    once = EMPTY.observe(Draws(Phase.ESTIMATION, 0, 10), np.array([7, 3]))
    with pytest.raises(InvalidParameter, match="do not follow"):
        once.observe(Draws(Phase.ESTIMATION, 0, 10), np.array([7, 3]))


def test_votes_must_be_as_many_as_draws() -> None:
    """A count that lost or gained a vote is refused."""
    with pytest.raises(InvalidParameter, match="votes are not 10"):
        EMPTY.observe(Draws(Phase.ESTIMATION, 0, 10), np.array([7, 4]))


def test_a_trail_follows_the_tested_class() -> None:
    """The trail holds the tested class's cumulative count after each stage."""
    once = EMPTY.observe(Draws(Phase.ESTIMATION, 0, 10), np.array([7, 3]), tested_class=1)
    twice = once.observe(Draws(Phase.ESTIMATION, 10, 15), np.array([1, 4]), tested_class=1)
    assert twice.tallies[Phase.ESTIMATION].trail == (3, 7)


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (5, 4), (0, (1 << 30) + 1)])
def test_draws_outside_a_phase_are_refused(start: int, stop: int) -> None:
    """A range that would run into another phase's draws does not exist."""
    with pytest.raises(InvalidParameter):
        Draws(Phase.ESTIMATION, start, stop)
