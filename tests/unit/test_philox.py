"""The stream: Random123's numbers, in one layout."""

from __future__ import annotations

import pytest
import torch

from certd.noise.philox import philox4x32, split_words, uniforms


def encrypt(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, ...]:
    """Run the generator on one counter."""
    c0, c1, c2, c3 = (torch.tensor(word) for word in counter)
    return tuple(int(word) for word in philox4x32((c0, c1, c2, c3), key))


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_reproduces_the_published_vectors(
    counter: tuple[int, int, int, int], key: tuple[int, int], words: tuple[int, ...]
) -> None:
    """The generator is Philox4x32-10: Random123's known-answer tests hold."""
    assert encrypt(counter, key) == words


@pytest.mark.parametrize("coordinate", [0, 1, 2, 7, 10])
def test_a_uniform_is_the_declared_function_of_its_address(coordinate: int) -> None:
    """The layout of key, counter and words is the documented one, for both halves of a pair."""
    seed, image, draw = 0x0123456789ABCDEF, 0xFEDCBA9876543210, 0xC0000005
    words = encrypt((coordinate // 2, draw, *split_words(image)), split_words(seed))
    high, low = words[2:] if coordinate % 2 else words[:2]
    ids, draws = torch.tensor([image], dtype=torch.uint64), torch.tensor([draw], dtype=torch.uint32)
    assert int(uniforms(ids, draws, seed, 11)[0, coordinate]) == (high << 32 | low) >> 2
