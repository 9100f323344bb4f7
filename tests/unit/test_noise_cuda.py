"""The CUDA kernel: the same noise as on the CPU, bit for bit.

Where there is no device, Triton's interpreter runs the kernel, and its compiler translates it for one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from certd.noise import QuantizedNoise, cpu, philox, quantized_gaussian
from certd.noise.source import QuantizedNoiseSource
from tests.conftest import CHECKOUT, skip_or_fail

if TYPE_CHECKING:
    from torch import Tensor

    Batch = tuple[Tensor, Tensor, Tensor, Tensor]

pytestmark = pytest.mark.slow

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
MAX_64 = (1 << 64) - 1


@pytest.fixture(scope="module")
def kernel() -> Any:
    """Return the module that holds the kernel, interpreted where there is no device."""
    if find_spec("triton") is None:
        skip_or_fail("the CUDA kernel needs triton: pip install triton")
    return import_module("certd.noise.cuda")


def batch(dimension: int, rows: int = 5, images: int = 3) -> Batch:
    """Return random pixels, image ids, rows and draws."""
    rng = np.random.default_rng(dimension)
    pixels = torch.from_numpy(rng.integers(0, 256, (images, dimension), dtype=np.uint8))
    ids = torch.from_numpy(rng.integers(0, 1 << 64, images, dtype=np.uint64))
    shown = torch.from_numpy(rng.integers(0, images, rows))
    return pixels, ids, shown, torch.from_numpy(rng.integers(0, 1 << 32, rows, dtype=np.uint32))


def on_cpu(operands: Batch, seed: int, noise: QuantizedNoise) -> Tensor:
    """Return what the CPU's kernel writes."""
    out = torch.empty(len(operands[2]), operands[0].shape[1])
    pixels, ids, rows, draws = (tensor.numpy() for tensor in operands)
    cpu.perturb(pixels, ids, rows, draws, seed, noise, out.numpy())
    return out


def on_device(
    kernel: Any, operands: Batch, seed: int, noise: QuantizedNoise, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Return what the CUDA kernel writes."""
    out = torch.empty(len(operands[2]), operands[0].shape[1], dtype=dtype, device=DEVICE)
    kernel.perturb(*(tensor.to(DEVICE) for tensor in operands), seed, noise, out)
    return out.cpu()


@pytest.mark.parametrize("sigma", [1e-6, 0.12, 1.0])
@pytest.mark.parametrize("seed", [0, 1, MAX_64])
def test_the_kernels_agree_bit_for_bit(kernel: Any, sigma: float, seed: int) -> None:
    """A certificate made on one device is reproduced on another: odd sizes, long tails, extreme seeds."""
    noise = quantized_gaussian(sigma)
    for dimension in (1, 2, 785, 1024, 1025):
        operands = batch(dimension)
        assert torch.equal(on_device(kernel, operands, seed, noise), on_cpu(operands, seed, noise))


def test_a_uniform_on_a_threshold_counts_it(kernel: Any) -> None:
    """K = lowest + #{thresholds <= u}, equality included, with many thresholds to a guide's cell too."""
    operands = batch(64, rows=1, images=1)
    uniforms = philox.uniforms(operands[1], operands[3], 5, 64).numpy().astype(np.uint64)
    crowded = np.concatenate([uniforms[0] + np.uint64(k) for k in range(3)])
    for thresholds in (uniforms[0], crowded):
        noise = QuantizedNoise(np.sort(thresholds), lowest=0, total_variation=0.0)
        assert torch.equal(on_device(kernel, operands, 5, noise), on_cpu(operands, 5, noise))


def test_bfloat16_is_the_float32_noise_rounded_to_nearest(kernel: Any) -> None:
    """The narrow buffer holds what converting the wide one gives, ties to even, either sign."""
    operands, noise = batch(2049), quantized_gaussian(3.0)
    narrow = on_device(kernel, operands, 9, noise, torch.bfloat16)
    assert torch.equal(narrow, on_cpu(operands, 9, noise).bfloat16())


@pytest.mark.parametrize("row", [-1, 3, 1 << 40])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_row_that_names_no_image_becomes_nan(kernel: Any, row: int, dtype: torch.dtype) -> None:
    """No foreign memory is read, no vote is possible, and other rows are as they should be."""
    operands, noise = batch(10), quantized_gaussian(0.25)
    expected = on_cpu(operands, 0, noise)
    operands[2][1] = row
    written = on_device(kernel, operands, 0, noise, dtype)
    assert written[1].isnan().all()
    assert torch.equal(written[2:], expected[2:].to(dtype))


def test_nothing_is_written_for_no_rows(kernel: Any) -> None:
    """An empty batch is a batch."""
    assert on_device(kernel, batch(10, rows=0), 0, quantized_gaussian(0.25)).shape == (0, 10)


@pytest.mark.skipif(DEVICE == "cpu", reason="there is no CUDA device")
def test_the_source_uses_the_kernel_on_a_device() -> None:
    """The stream does not depend on the device."""
    operands, noise = batch(3072), quantized_gaussian(0.25)
    out = torch.empty(5, 3072, device=DEVICE)
    pixels, ids, rows, draws = (tensor.to(DEVICE) for tensor in operands)
    QuantizedNoiseSource(noise, 3).perturb(pixels, ids, rows, draws, out)
    assert torch.equal(out.cpu(), on_cpu(operands, 3, noise))


COMPILE = """
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile

from certd.noise.cuda import PAIRS, WARPS, _perturb

pointers = {"pixels": "*u8", "image_ids": "*u64", "rows": "*i64", "draws": "*u32", "key": "*u32"}
table = {"thresholds": "*i64", "guide": "*i32"}
numbers = {"lowest": "i32", "num_images": "i32", "dimension": "i32"}
for narrow, out in ((False, "*fp32"), (True, "*i16")):
    constants = {"PAIRS": PAIRS, "NARROW": narrow}
    types = pointers | table | numbers | {"out": out} | dict.fromkeys(constants, "constexpr")
    source, options = ASTSource(_perturb, types, constants), {"num_warps": WARPS}
    compiled = compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    assert compiled.asm["cubin"]
"""


def test_the_kernel_compiles_for_a_device() -> None:
    """What the interpreter runs is also what the compiler takes; no device is needed to find out."""
    if find_spec("triton") is None:
        skip_or_fail("the CUDA kernel needs triton: pip install triton")
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    subprocess.run([sys.executable, "-c", COMPILE], cwd=CHECKOUT, env=environment, check=True)
