"""Hostile bytes: good files spoilt at random, and the bounds that a parser has to keep on them."""

from __future__ import annotations

import random
import resource
import signal
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from certd.errors import CertdError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HEADROOM_BYTES = 768 * 2**20
PATIENCE_SECONDS = 2
INTERESTING = (
    b"\x00", b"\xff" * 4, b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\xff" * 8, b"-1", b"9" * 40, b"1e999",
    b"NaN", b"\xed\xa0\x80", b"\\ud800", b"../../etc/passwd", b"file:///etc/passwd", b"%2e%2e%2f", b"\r\n",
    b"{" * 2000, b"[" * 2000, b"'" * 9, b'"', b"\\", b"$(id)", b"!!python/object/apply:os.system",
)  # fmt: skip


def spoilt(chance: random.Random, originals: Sequence[bytes]) -> bytes:
    """Return a good file with some of its bytes overwritten, cut, repeated, or replaced by a known trap."""
    data = bytearray(chance.choice(originals))
    for _ in range(chance.randint(1, 4)):
        start = chance.randint(0, len(data))
        stop = min(len(data), start + chance.choice((0, 1, 1, 2, 4, 16, 256)))
        match chance.randrange(5):
            case 0:
                data[start:stop] = chance.randbytes(stop - start)
            case 1:
                del data[start:stop]
            case 2:
                data[start:start] = data[start:stop] * chance.randint(1, 20)
            case 3:
                data[start:stop] = chance.choice(INTERESTING)
            case _:
                data[start:] = chance.choice(originals)[start:]
    return bytes(data[: chance.randint(0, len(data))] if chance.random() < 0.1 else data)


def bombard(parse: Callable[[bytes], object], originals: Sequence[bytes], cases: int, seed: int = 0) -> int:
    """Parse ``cases`` spoilt files; whatever is raised that is no error of ours escapes.

    Returns:
        How many were refused.
    """
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    refused = 0
    with bounded():
        for _ in range(cases):
            data = spoilt(chance, originals)
            began = time.process_time()
            accepted = False
            with suppress(CertdError):
                parse(data)
                accepted = True
            refused += not accepted
            assert time.process_time() - began < PATIENCE_SECONDS, data
    return refused


@contextmanager
def bounded() -> Iterator[None]:
    """Let the kernel refuse memory beyond a headroom, and end what hangs for a minute and a half."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + HEADROOM_BYTES, hard))
    before = signal.signal(signal.SIGALRM, _hangs)
    signal.alarm(90)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _hangs(*_: object) -> None:
    raise TimeoutError("a parser hangs")


def _address_space() -> int:
    with open("/proc/self/statm") as stream:  # noqa: PTH123 - no path of ours
        return int(stream.read().split()[0]) * resource.getpagesize()
