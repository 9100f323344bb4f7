"""The sources of noise: one stream whatever the kernel, the batch and the shape."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor

from certd.errors import InvalidParameter, OutOfRange, ShapeMismatch
from certd.noise import (
    Gaussian,
    Laplace,
    QuantizedNoise,
    Uniform,
    cpu,
    philox,
    quantized,
    quantized_gaussian,
    reference,
)
from certd.noise.float_source import FloatNoiseSource
from certd.noise.source import NoiseSource, QuantizedNoiseSource
from certd.noise.splitting import SplittingNoise
from certd.noise.splitting_source import SplittingNoiseSource

if TYPE_CHECKING:
    from certd.noise import AdditiveLaw

SIGMAS = (0.12, 0.25, 0.5, 1.0)
MAX_64 = (1 << 64) - 1
LAWS = (Gaussian(0.25), Laplace(0.25), Uniform(0.25))
SOURCES: tuple[NoiseSource, ...] = (
    QuantizedNoiseSource(quantized_gaussian(0.5), seed=3),
    FloatNoiseSource(Laplace(0.5), seed=3),
    SplittingNoiseSource(SplittingNoise(levels=100, seed=3)),
)


def batch(
    images: int, dimension: int, rows: int, seed: int = 0, last_draw: int = 1 << 32
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return random pixels, image ids, rows and draws."""
    rng = np.random.default_rng(seed)
    pixels = torch.from_numpy(rng.integers(0, 256, (images, dimension), dtype=np.uint8))
    ids = torch.from_numpy(rng.integers(0, 1 << 64, images, dtype=np.uint64))
    shown = torch.from_numpy(rng.integers(0, images, rows))
    return pixels, ids, shown, torch.from_numpy(rng.integers(0, last_draw, rows, dtype=np.uint32))


def test_the_stream_is_fixed_for_ever() -> None:
    """A stored digest of noisy copies keeps old certificates reproducible."""
    pixels = torch.arange(3 * 3072).remainder(256).to(torch.uint8).view(3, 3072)
    ids = torch.tensor([0, 1, MAX_64], dtype=torch.uint64)
    rows, draws = torch.tensor([0, 1, 1, 2]), torch.tensor([0, 0, 1, 0xC0000000], dtype=torch.uint32)
    out = torch.empty(4, 3072)
    QuantizedNoiseSource(quantized_gaussian(0.25), seed=20190208).perturb(pixels, ids, rows, draws, out)
    digest = hashlib.sha256(out.numpy().astype("<i2").tobytes()).hexdigest()
    assert digest == "1cab696ebcfa0094ab0be3560b0942ba87881fba65c22694c650ceef157c97cf"


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("seed", [0, 1, 0x123456789ABCDEF0, MAX_64])
def test_the_compiled_kernel_is_the_reference(sigma: float, seed: int) -> None:
    """The CPU kernel agrees with plain torch bit for bit, across tiles and for odd dimensions."""
    for dimension in (1, 2, 511, 785, 1537):
        pixels, ids, rows, draws = batch(images=3, dimension=dimension, rows=9, seed=dimension)
        compiled, plain = torch.empty(9, dimension), torch.empty(9, dimension)
        noise = quantized_gaussian(sigma)
        reference.perturb(pixels, ids, rows, draws, seed, noise, plain)
        views = (pixels.numpy(), ids.numpy(), rows.numpy(), draws.numpy())
        cpu.perturb(*views, seed, noise, compiled.numpy())
        assert torch.equal(compiled, plain)


def test_a_uniform_on_a_threshold_counts_it() -> None:
    """K = lowest + #{thresholds <= u}, equality included, in the kernel and in the reference."""
    pixels, ids, rows, draws = batch(images=1, dimension=64, rows=1)
    pixels.zero_()
    drawn = philox.uniforms(ids, draws, 5, 64).numpy().astype(np.uint64)
    noise = QuantizedNoise(np.sort(drawn[0]), lowest=0, total_variation=0.0)
    ranks = torch.from_numpy(drawn[0].argsort().argsort() + 1.0)
    compiled, plain = torch.empty(1, 64), torch.empty(1, 64)
    QuantizedNoiseSource(noise, 5).perturb(pixels, ids, rows, draws, compiled)
    reference.perturb(pixels, ids, rows, draws, 5, noise, plain)
    assert torch.equal(compiled[0].double(), ranks)
    assert torch.equal(plain, compiled)


def test_compiled_uniforms_are_the_reference() -> None:
    """The float path reads the same uniforms as the reference, for odd dimensions too."""
    _, ids, _, draws = batch(images=7, dimension=1, rows=7)
    compiled = cpu.uniforms(ids.numpy(), draws.numpy(), MAX_64, 33)
    assert np.array_equal(compiled, philox.uniforms(ids, draws, MAX_64, 33).numpy())


@pytest.mark.parametrize("source", SOURCES)
def test_a_copy_does_not_depend_on_the_company_it_is_drawn_in(source: NoiseSource) -> None:
    """A row drawn alone equals the same row drawn in a batch."""
    pixels, ids, rows, draws = batch(images=4, dimension=100, rows=20, last_draw=100)
    together, alone = torch.empty(20, 100), torch.empty(1, 100)
    source.perturb(pixels, ids, rows, draws, together)
    for r, image in enumerate(rows.tolist()):
        one, only = slice(image, image + 1), torch.zeros(1, dtype=torch.int64)
        source.perturb(pixels[one], ids[one], only, draws[r : r + 1], alone)
        assert torch.equal(alone[0], together[r])


@pytest.mark.parametrize("source", SOURCES)
def test_coordinates_are_numbered_channel_height_width(source: NoiseSource) -> None:
    """A batch of images gets the noise of its flattened pixels."""
    pixels, ids, rows, draws = batch(images=2, dimension=60, rows=6, last_draw=100)
    flat, shaped = torch.empty(6, 60), torch.empty(6, 3, 4, 5)
    source.perturb(pixels, ids, rows, draws, flat)
    source.perturb(pixels.view(2, 3, 4, 5), ids, rows, draws, shaped)
    assert torch.equal(shaped.view(6, 60), flat)


@pytest.mark.parametrize("source", SOURCES)
def test_what_a_kernel_would_misread_is_refused(source: NoiseSource) -> None:
    """Wrong types, layouts, shapes and row indices raise before memory is touched."""
    pixels, ids, rows, draws = batch(images=2, dimension=12, rows=6, last_draw=100)
    out = torch.empty(6, 12)
    with pytest.raises(InvalidParameter):
        source.perturb(pixels, ids, rows, draws.to(torch.int64), out)
    with pytest.raises(InvalidParameter):
        source.perturb(pixels, ids, rows, draws, torch.empty(12, 6).T)
    with pytest.raises(ShapeMismatch):
        source.perturb(pixels, ids, rows, draws, torch.empty(6, 13))
    with pytest.raises(ShapeMismatch):
        source.perturb(pixels, ids, rows, draws[:5], out)
    with pytest.raises(ShapeMismatch):
        source.perturb(pixels, ids, rows + 1, draws, out)


@pytest.mark.parametrize("law", LAWS)
def test_quantised_noise_is_an_exact_integer_shift(law: AdditiveLaw) -> None:
    """Two images under one address differ by exactly their difference."""
    _, ids, rows, draws = batch(images=1, dimension=50, rows=5)
    dark, light = torch.zeros(1, 50, dtype=torch.uint8), torch.full((1, 50), 255, dtype=torch.uint8)
    source, first, second = QuantizedNoiseSource(quantized(law), 9), torch.empty(5, 50), torch.empty(5, 50)
    source.perturb(dark, ids, rows, draws, first)
    source.perturb(light, ids, rows, draws, second)
    assert torch.equal(second - first, torch.full((5, 50), 255.0))
    assert torch.equal(first, first.round())


def test_quantised_noise_takes_grid_images_only() -> None:
    """Float pixels are refused rather than truncated."""
    pixels, ids, rows, draws = batch(images=2, dimension=12, rows=6)
    with pytest.raises(InvalidParameter, match="uint8"):
        QuantizedNoiseSource(quantized_gaussian(0.5), 0).perturb(
            pixels.float(), ids, rows, draws, torch.empty(6, 12)
        )


@pytest.mark.parametrize("law", LAWS)
def test_float_noise_rounds_to_the_quantised_noise(law: AdditiveLaw) -> None:
    """Both arithmetics invert the same uniforms: they differ by half a step and float rounding at most."""
    pixels, ids, rows, draws = batch(images=2, dimension=1000, rows=20)
    whole, real = torch.empty(20, 1000), torch.empty(20, 1000)
    QuantizedNoiseSource(quantized(law), 11).perturb(pixels, ids, rows, draws, whole)
    FloatNoiseSource(law, 11).perturb(pixels, ids, rows, draws, real)
    assert float((whole - real).abs().max()) <= 0.5001


def test_float_noise_takes_images_off_the_grid() -> None:
    """Float pixels are shifted by the noise that a grid image gets."""
    pixels, ids, rows, draws = batch(images=2, dimension=12, rows=6)
    source, grid, off = FloatNoiseSource(Gaussian(0.25), 1), torch.empty(6, 12), torch.empty(6, 12)
    source.perturb(pixels, ids, rows, draws, grid)
    source.perturb(pixels + 0.25, ids, rows, draws, off)
    assert torch.allclose(off, grid + 0.25, atol=1e-4)


def test_a_certificate_can_tell_the_arithmetic() -> None:
    """Float noise says that it is float; the sound sources say that they are quantised."""
    assert [source.arithmetic for source in SOURCES] == ["quantized", "float", "quantized"]


@pytest.mark.parametrize("seed", [-1, 1 << 64])
def test_a_seed_beyond_64_bits_is_refused(seed: int) -> None:
    """A seed is never folded into the range silently."""
    with pytest.raises(InvalidParameter):
        QuantizedNoiseSource(quantized_gaussian(0.25), seed)
    with pytest.raises(InvalidParameter):
        FloatNoiseSource(Gaussian(0.25), seed)
    with pytest.raises(InvalidParameter):
        SplittingNoise(levels=10, seed=seed)


def test_a_split_beyond_the_last_is_refused() -> None:
    """A deterministic certificate has exactly ``levels`` copies; none may be counted twice."""
    pixels, ids, rows, _ = batch(images=1, dimension=4, rows=1)
    source, draws = (
        SplittingNoiseSource(SplittingNoise(levels=10, seed=0)),
        torch.tensor([10], dtype=torch.uint32),
    )
    with pytest.raises(OutOfRange):
        source.perturb(pixels, ids, rows, draws, torch.empty(1, 4))


@pytest.mark.slow
def test_the_kernel_runs_where_no_cache_can_be_written() -> None:
    """A read-only installation compiles in memory instead of failing."""
    nowhere = os.environ | {"NUMBA_CACHE_LOCATOR_CLASSES": "IPythonCacheLocator"}
    probe = (
        "import numpy; from certd.noise import cpu; "
        "zero = numpy.zeros(1, 'u8'); print(int(cpu.uniforms(zero, zero, 0, 1)[0, 0]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", probe], env=nowhere, capture_output=True, text=True, check=True
    )
    assert int(run.stdout) == (0x6627E8D5 << 32 | 0xE169C58D) >> 2
