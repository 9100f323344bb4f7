"""The integer table: the exact cell probabilities, and a proven account of what it misses."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Event

import numpy as np
import pytest
from mpmath import mp, mpf

from certd.errors import InvalidParameter
from certd.noise import Gaussian, QuantizedNoise, quantized, quantized_gaussian

SIGMAS = (0.12, 0.25, 0.5, 1.0)


def cells(noise: QuantizedNoise) -> list[int]:
    """Return 2**62 P(K = i) for i = lowest, lowest + 1, ..."""
    edges = [0, *(int(threshold) for threshold in noise.thresholds), 1 << 62]
    return [after - before for before, after in pairwise(edges)]


def exact_total_variation(sigma: float, noise: QuantizedNoise) -> mpf:
    """Return the distance to the exact cell probabilities, by summing every cell in 60 digits."""
    with mp.workdps(60):
        scale = 255 * mpf(sigma)
        table = dict(enumerate(cells(noise), start=noise.lowest))
        reach = int(12 * scale) + 2
        cumulative = [mp.ncdf((i + mpf(1) / 2) / scale) for i in range(-reach - 1, reach + 1)]
        exact = {i: cumulative[i + reach + 1] - cumulative[i + reach] for i in range(-reach, reach + 1)}
        return sum(abs(p - mpf(table.get(i, 0)) / (1 << 62)) for i, p in exact.items()) / 2


@pytest.mark.parametrize("sigma", SIGMAS)
def test_thresholds_are_the_rounded_distribution_function(sigma: float) -> None:
    """Every threshold is round(2**62 Phi((i + 1/2) / (255 sigma)))."""
    noise = quantized_gaussian(sigma)
    with mp.workdps(40):
        for j in range(0, len(noise.thresholds), 37):
            exact = mp.ncdf((noise.lowest + j + mpf(1) / 2) / (255 * mpf(sigma))) * (1 << 62)
            assert int(noise.thresholds[j]) == int(mp.nint(exact))


@pytest.mark.parametrize("sigma", SIGMAS)
def test_the_table_is_symmetric_and_its_cells_fill_the_line(sigma: float) -> None:
    """P(K = i) = P(K = -i), no cell is negative, and the cells sum to one."""
    noise = quantized_gaussian(sigma)
    mass = cells(noise)
    assert mass == mass[::-1]
    assert len(mass) == 1 - 2 * noise.lowest
    assert min(mass) >= 0
    assert sum(mass) == 1 << 62


@pytest.mark.parametrize("sigma", [0.001, 0.01, 0.12, 0.25])
def test_the_stated_distance_bounds_the_true_one_and_is_not_slack(sigma: float) -> None:
    """The total variation bound holds against a direct sum over all cells, and is tight to a millionth."""
    noise = quantized_gaussian(sigma)
    exact = exact_total_variation(sigma, noise)
    assert exact <= noise.total_variation <= exact * mpf("1.000001") + mpf(2) ** -90


def test_the_distance_of_an_image_is_negligible() -> None:
    """At sigma = 1 the whole of an ImageNet image is off by less than 1e-10."""
    assert quantized_gaussian(1.0).total_variation * 224 * 224 * 3 < 1e-10


def test_vanishing_noise_never_moves_a_pixel() -> None:
    """Noise far below one grid step has no thresholds: K = 0."""
    noise = quantized_gaussian(1e-6)
    assert (len(noise.thresholds), noise.lowest) == (0, 0)


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("nan"), float("inf"), 1000.0])
def test_a_noise_level_without_a_table_is_refused(sigma: float) -> None:
    """Sigma must be positive, finite, and small enough for 65535 levels."""
    with pytest.raises(InvalidParameter):
        quantized_gaussian(sigma)


def test_the_table_is_fixed_for_ever() -> None:
    """Stored digests of the thresholds keep old certificates reproducible."""
    digests = {
        s: hashlib.sha256(quantized_gaussian(s).thresholds.astype("<u8").tobytes()).hexdigest()
        for s in SIGMAS
    }
    assert digests == {
        0.12: "9ad6b3b2a8d7a4ba3fd576a19389a11be1c00d4707937d020167b924e4b1b45a",
        0.25: "82167dc94cc40a23325f494f0a2357fec0e200d704b2af30581edceaf1c05e75",
        0.5: "6ce2f1d9cbd5c11b2b2e4119651fc1bf55e511eecc9af0554d687f6854e3c3ae",
        1.0: "b1f1eb51b0bbbd09c4c0aff2d923f66af6c6220dfa85326ab6cff00b971aad86",
    }


def test_a_table_does_not_depend_on_what_other_threads_do_with_mpmath() -> None:
    """The global precision of mpmath may change at any moment; the table must not."""
    done = Event()

    def meddle() -> None:
        while not done.is_set():
            mp.prec = 20

    with mp.workprec(20), ThreadPoolExecutor() as pool:
        meddler = pool.submit(meddle)
        table = quantized.__wrapped__(Gaussian(0.25))
        done.set()
        meddler.result()
    assert np.array_equal(table.thresholds, quantized_gaussian(0.25).thresholds)


def test_a_table_cannot_be_written_to() -> None:
    """The cached table is shared, so it is read-only."""
    with pytest.raises(ValueError, match="read-only"):
        quantized_gaussian(0.25).thresholds[0] = np.uint64(0)


def test_the_laws_install_without_torch() -> None:
    """Importing certd.noise imports neither torch nor numba."""
    probe = "import sys, certd.noise; sys.exit(bool({'torch', 'numba'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0
