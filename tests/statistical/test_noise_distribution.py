"""Drawn noise has the law that its certificate assumes, independently across all parts of its address."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from scipy.stats import chi2, norm

from certd.noise import AdditiveLaw, Gaussian, Laplace, Uniform, quantized
from certd.noise.source import QuantizedNoiseSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

LAWS = [law(sigma) for law in (Gaussian, Laplace, Uniform) for sigma in (0.01, 0.25, 1.0)]
FALSE_ALARM = 1e-6

pytestmark = pytest.mark.statistical


def draw(law: AdditiveLaw, *, images: int, draws: int, dimension: int, seed: int) -> NDArray[np.int64]:
    """Return noise, int64[image, draw, coordinate]."""
    pixels = torch.zeros(images, dimension, dtype=torch.uint8)
    ids = torch.arange(images).view(torch.uint64)
    rows = torch.arange(images).repeat_interleave(draws)
    index = torch.arange(draws).repeat(images).to(torch.uint32)
    out = torch.empty(images * draws, dimension)
    QuantizedNoiseSource(quantized(law), seed).perturb(pixels, ids, rows, index, out)
    return out.numpy().astype(np.int64).reshape(images, draws, dimension)


def pooled_cells(law: AdditiveLaw, total: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the pool of each value of K, and the expected size of each pool, none below 20."""
    edges = np.concatenate(([0.0], quantized(law).thresholds / 2.0**62, [1.0]))
    pools, sizes = [], [0.0]
    for expected in np.diff(edges) * total:
        if sizes[-1] >= 20:
            sizes.append(0.0)
        pools.append(len(sizes) - 1)
        sizes[-1] += expected
    last = len(sizes) - 2  # what is left over at the upper end joins the pool before it
    return np.minimum(pools, last), np.array([*sizes[:last], sizes[last] + sizes[last + 1]])


@pytest.mark.parametrize("law", LAWS)
def test_drawn_noise_has_the_cell_probabilities(law: AdditiveLaw) -> None:
    """Chi-square over pooled cells, 1.2 million draws. False alarm: 1e-6 a law, were the seed not fixed."""
    noise = draw(law, images=4, draws=100, dimension=3000, seed=1)
    pool, expected = pooled_cells(law, noise.size)
    seen = np.bincount(pool[noise.ravel() - quantized(law).lowest], minlength=len(expected))
    statistic = float(((seen - expected) ** 2 / expected).sum())
    assert chi2.sf(statistic, len(expected) - 1) > FALSE_ALARM


@pytest.mark.parametrize("shift", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 2), (1, 1, 1)])
def test_neighbouring_addresses_are_uncorrelated(shift: tuple[int, int, int]) -> None:
    """Images, draws, coordinates and pairs are independent. False alarm: 1e-6, were the seed not fixed."""
    noise = draw(Gaussian(0.25), images=10, draws=100, dimension=1001, seed=2) / (255 * 0.25)
    there = tuple(slice(step, None) for step in shift)
    here = tuple(slice(None, -step or None) for step in shift)
    products = noise[here] * noise[there]
    assert abs(products.mean()) * np.sqrt(products.size) < norm.isf(FALSE_ALARM / 2)


@pytest.mark.parametrize(("one", "other"), [(0, 1), (0, 1 << 32), (1, 1 << 63)])
def test_neighbouring_seeds_are_uncorrelated(one: int, other: int) -> None:
    """Both halves of the seed matter. False alarm: 1e-6 a pair, were the seeds not fixed."""
    first, second = (
        draw(Gaussian(0.25), images=1, draws=100, dimension=1000, seed=seed) / (255 * 0.25)
        for seed in (one, other)
    )
    products = first * second
    assert abs(products.mean()) * np.sqrt(products.size) < norm.isf(FALSE_ALARM / 2)
