"""Splitting noise: exact certificates, checked on every image of a small world."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from certd.errors import InvalidParameter, OutOfRange
from certd.noise.splitting import SplittingNoise
from certd.noise.splitting_source import SplittingNoiseSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytestmark = pytest.mark.slow

CLASSES = 3
NOISE = SplittingNoise(levels=9, seed=1)


def copies(noise: SplittingNoise, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return every noisy copy of every image, float32[split, image, coordinate]."""
    images, dimension = pixels.shape
    out = torch.empty(noise.levels * images, dimension)
    rows = torch.arange(images).repeat(noise.levels)
    draws = torch.arange(noise.levels).repeat_interleave(images).to(torch.uint32)
    ids = torch.zeros(images, dtype=torch.int64).view(torch.uint64)
    SplittingNoiseSource(noise).perturb(torch.from_numpy(pixels), ids, rows, draws, out)
    return out.numpy().reshape(noise.levels, images, dimension)


@cache
def small_world() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the prediction and the certified steps of every image of two pixels, int64[256, 256].

    The base classifier votes at random, so neighbouring noisy copies have nothing in common; it favours one
    class on each half of the image space, to leave something to certify.
    """
    grid = np.stack(np.meshgrid(np.arange(256), np.arange(256), indexing="ij"), axis=-1).reshape(-1, 2)
    quarter = (copies(NOISE, grid.astype(np.uint8)) * 4).astype(np.int64)
    rng = np.random.default_rng(0)
    votes = rng.integers(0, CLASSES, (1021, 1021))
    favourite = np.where(np.add.outer(np.arange(1021), np.arange(1021)) < 1021, 0, 1)
    classifier = np.where(rng.random((1021, 1021)) < 0.6, favourite, votes)
    cast = classifier[quarter[..., 0], quarter[..., 1]]
    counts = np.stack([(cast == c).sum(axis=0) for c in range(CLASSES)], axis=1)
    steps = np.array([NOISE.certified_steps(row) for row in counts])
    return counts.argmax(axis=1).reshape(256, 256), steps.reshape(256, 256)


def test_no_image_inside_a_certificate_is_predicted_otherwise() -> None:
    """Over all pairs of two-pixel images up to five steps apart: a certificate is never false."""
    prediction, steps = small_world()
    for a, b in product(range(-5, 6), repeat=2):
        here, there = overlap(a, b)
        covered = steps[here] >= abs(a) + abs(b)
        assert np.array_equal(prediction[here][covered], prediction[there][covered])


def test_the_certificate_reaches_somewhere_and_ends_somewhere() -> None:
    """Certificates are not vacuous: there are large ones, and images that change one step beyond theirs."""
    prediction, steps = small_world()
    here, there = overlap(1, 0)
    assert steps.max() == NOISE.levels // 2
    assert np.any((steps[here] == 0) & (prediction[here] != prediction[there]))


def overlap(a: int, b: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the images that stay on the grid when moved by (a, b), and where they arrive."""
    here = tuple(slice(max(0, -step), 256 - max(0, step)) for step in (a, b))
    there = tuple(slice(max(0, step), 256 + min(0, step)) for step in (a, b))
    return (here[0], here[1]), (there[0], there[1])


@pytest.mark.parametrize("levels", [1, 2, 9, 100, 254, 255, 256, 600])
def test_a_step_changes_exactly_one_copy(levels: int) -> None:
    """Between neighbouring pixel values a single split point lies, for one split: the whole proof."""
    seen = copies(SplittingNoise(levels, seed=0), np.arange(256, dtype=np.uint8)[:, np.newaxis])[..., 0]
    assert np.array_equal((seen[:, 1:] != seen[:, :-1]).sum(axis=0), np.ones(255))


def test_a_copy_is_the_middle_of_the_interval_between_split_points() -> None:
    """Worked by hand: split points at 3.5, 13.5, ... and the ends of the scale."""
    noise = SplittingNoise(levels=10, seed=0)
    split = (3 - int(noise.offsets(1)[0])) % 10
    seen = copies(noise, np.array([[0], [3], [4], [13], [14], [250], [254]], dtype=np.uint8))[split, :, 0]
    assert seen.tolist() == [1.75, 1.75, 8.5, 8.5, 18.5, 248.5, 254.25]


def test_offsets_are_fixed_for_ever_and_differ_between_coordinates() -> None:
    """Offsets belong to the classifier: the seed alone determines them."""
    offsets = SplittingNoise(levels=100, seed=5).offsets(8)
    assert offsets.tolist() == [29, 80, 43, 98, 2, 11, 93, 11]
    assert SplittingNoise(levels=100, seed=5).offsets(3).tolist() == offsets[:3].tolist()


@pytest.mark.parametrize(
    ("counts", "steps"),
    [([100, 0], 50), ([0, 100], 49), ([60, 40], 10), ([40, 60], 9), ([50, 50], 0), ([50, 20, 30], 10)],
)
def test_certified_steps_count_votes_and_break_ties_downwards(counts: list[int], steps: int) -> None:
    """Each step moves one vote, which counts twice in a gap; the lower class wins a tie."""
    assert SplittingNoise(levels=100, seed=0).certified_steps(np.array(counts)) == steps


def test_the_radius_is_whole_steps_in_input_units() -> None:
    """The radius is in input units, a whole number of steps of 1/255."""
    assert SplittingNoise(levels=100, seed=0).radius(np.array([60, 40])) == 10 / 255


@pytest.mark.parametrize("counts", [[60, 39], [101, -1], [100]])
def test_votes_that_are_not_one_a_copy_are_refused(counts: list[int]) -> None:
    """An incomplete vote certifies nothing."""
    with pytest.raises(OutOfRange):
        SplittingNoise(levels=100, seed=0).certified_steps(np.array(counts))


def test_splitting_needs_a_level() -> None:
    """There is no splitting noise without copies."""
    with pytest.raises(InvalidParameter):
        SplittingNoise(levels=0, seed=0)
