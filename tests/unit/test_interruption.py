"""Ctrl-C is remembered, and raised where the work asks for it."""

from __future__ import annotations

import signal

import pytest

from certd.cli.interruption import interruptible


def _typed(times: int, said: list[str]) -> None:
    """Work without a check, during which Ctrl-C is typed so often."""
    with interruptible():
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
        said.append("went on")


def test_one_ctrl_c_waits_for_the_next_check() -> None:
    """The signal itself raises nothing, so that no extension can swallow it; the check raises."""
    with pytest.raises(KeyboardInterrupt), interruptible() as check:  # noqa: PT012 - signal, then check
        check()
        signal.raise_signal(signal.SIGINT)
        check()


def test_ctrl_c_after_the_last_check_is_not_lost() -> None:
    """Leaving the block raises what no check has seen."""
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        _typed(1, said)
    assert said == ["went on"]


def test_a_second_ctrl_c_does_not_wait() -> None:
    """Work that never checks can still be stopped."""
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        _typed(2, said)
    assert not said


def test_the_handler_before_is_given_back() -> None:
    """After the block Ctrl-C means what it meant before."""
    before = signal.getsignal(signal.SIGINT)
    with interruptible():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
