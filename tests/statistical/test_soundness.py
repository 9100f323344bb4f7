"""Certificates on classifiers whose exact radius is known: never beyond it more often than alpha."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn

from certd.models import BaseClassifier
from certd.models.runtime.arithmetic import ExecutionArithmetic
from certd.models.runtime.prepare import prepare
from certd.noise import Gaussian
from certd.noise.float_source import FloatNoiseSource
from certd.smoothing import Draws, Phase, parse_request
from certd.smoothing.certifier import Certifier
from certd.smoothing.sampler import DrawRequest, ImageSet, Sampler
from certd.statistics import gaussian_radius

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.statistical

SEEDS, ALPHA = 400, 0.05
ALLOWED = ALPHA + 3 * (ALPHA * (1 - ALPHA) / SEEDS) ** 0.5
PIXEL, THRESHOLD = 191, 127.5
MARGIN = (PIXEL - THRESHOLD) / 255


def _radii(classifier: BaseClassifier, options: dict[str, Any], label: int | None) -> np.ndarray[Any, Any]:
    """Certify one image under 400 seeds."""
    image = np.full((1, *classifier.input_shape), PIXEL, dtype=np.uint8)
    labels = None if label is None else np.array([label])
    found = []
    for seed in range(SEEDS):
        request = parse_request({"model": "x", "sigma": 0.25, "seed": seed, "alpha": ALPHA, **options})
        certification = request.resolve(classifier.reference, labelled=label is not None)
        certifier = Certifier(classifier, certification)
        found.append(certifier.certify(image, np.zeros(1, np.uint64), labels)[0].conclusion.radius)
    return np.array(found)


@pytest.mark.parametrize(
    ("options", "least_mean"),
    [
        ({"plan": "fixed", "n": 500}, 0.85),
        ({"plan": "fixed", "n": 500, "split": False}, 0.85),
        ({"plan": "fixed", "n": 500, "bound": "two-sided"}, 0.85),
        ({"plan": "precision", "pilot": 100, "n": 500}, 0.8),
        ({"plan": "open", "n": 500}, 0.7),
        ({"plan": "radii", "n": 500, "radii": (0, 0.05, 0.1, 0.15, 0.2, MARGIN, 0.3)}, 0.7),
        ({"plan": "fixed", "n": 500, "noise": "laplace"}, 0.85),
        ({"plan": "fixed", "n": 500, "noise": "uniform"}, 0.85),
        ({"plan": "fixed", "n": 500, "noise": "uniform", "norm": "linf"}, 0.0),
        ({"plan": "fixed", "n": 500, "norm": "linf"}, 0.4),
        ({"plan": "fixed", "n": 500, "norm": "l1"}, 0.85),
        ({"plan": "fixed", "n": 500, "arithmetic": "float"}, 0.85),
    ],
    ids=lambda value: "-".join(str(v) for v in value.values()) if isinstance(value, dict) else "",
)
def test_no_plan_and_no_noise_certifies_beyond_the_margin(
    half_space: Callable[..., BaseClassifier], options: dict[str, Any], least_mean: float
) -> None:
    """Over 400 seeds at most alpha + 3 s.e. of radii are false. False-alarm rate: .0014 a case.

    The threshold on one coordinate is the worst case of each l1 and l2 theorem, so the mean radius comes
    near.
    """
    label = 1 if options["plan"] in {"radii", "open"} else None
    radii = _radii(half_space(THRESHOLD), options, label)
    # A listed radius equal to the margin is true: the smoothed classifier changes only beyond it.
    assert np.mean(radii > MARGIN) <= ALLOWED
    assert radii.mean() >= least_mean * MARGIN


class _LowBits(nn.Module):
    """Reads the low bits that float addition leaves: class 1 where pixels near zero are too finely spaced.

    On the 0..255 scale a black pixel shows the noise itself, of any spacing; a pixel of value 1 shows near
    zero only multiples of 2**-24, the spacing of floats near the noise of -1 that got it there.
    """

    def __init__(self, dtype: torch.dtype, spacing: float = 2.0**-24) -> None:
        super().__init__()
        self._dtype = dtype
        self._spacing = spacing

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        levels = images.to(self._dtype).double().flatten(1) * 255
        near = levels.abs() < 2.0**-3
        steps = levels / self._spacing
        off_grid = (steps - steps.round()).abs() > 0.2
        fine = (near & off_grid & (levels != 0)).sum(dim=1) > 0
        return torch.stack([~fine, fine], dim=1).double()

    def extra_repr(self) -> str:
        return f"{self._dtype}, {self._spacing}"


SHAPE = (3, 32, 32)
# Two images, one grid step apart in every pixel: .2174 apart in l2.
BLACK, ONE = np.zeros((1, *SHAPE), np.uint8), np.ones((1, *SHAPE), np.uint8)
DISTANCE = (3 * 32 * 32) ** 0.5 / 255


def _predictions_and_reach(arithmetic: str, dtype: torch.dtype) -> tuple[set[int | None], float]:
    """Certify both images; return their classes and the smaller radius."""
    classifier = BaseClassifier.from_module(_LowBits(dtype), "low-bits", SHAPE, 2)
    request = parse_request(
        {"model": "x", "sigma": 0.5, "plan": "fixed", "n": 2000, "seed": 3, "arithmetic": arithmetic}
    )
    certifier = Certifier(classifier, request.resolve(classifier.reference, labelled=False))
    ids = np.zeros(1, np.uint64)
    found = [certifier.certify(image, ids)[0].conclusion for image in (BLACK, ONE)]
    return {c.prediction for c in found}, min(c.radius for c in found)


def test_float_noise_certifies_what_is_false() -> None:
    """Images .217 apart get different classes, each "certified" beyond .217: the theorem does not apply."""
    predictions, reach = _predictions_and_reach("float", torch.float32)
    assert predictions == {0, 1}
    assert reach > DISTANCE


class _AddedInBfloat16:
    """Float noise as code in half precision adds it: image, noise and their sum rounded to bfloat16."""

    arithmetic = "float"

    def __init__(self, seed: int) -> None:
        self._noise = FloatNoiseSource(Gaussian(0.5), seed)

    def perturb(
        self,
        pixels: torch.Tensor,
        image_ids: torch.Tensor,
        rows: torch.Tensor,
        draws: torch.Tensor,
        out: torch.Tensor,
    ) -> None:
        self._noise.perturb(torch.zeros_like(pixels), image_ids, rows, draws, out)
        out.copy_(out.bfloat16() + pixels.flatten(1)[rows].bfloat16())


def test_noise_added_in_bfloat16_certifies_what_is_false_too() -> None:
    """In bfloat16 the spacing near -1 is 2**-8: the same two images, the same false certificates."""
    classifier = BaseClassifier.from_module(_LowBits(torch.float32, 2.0**-8), "low-bits", SHAPE, 2)
    prepared = prepare(classifier, ExecutionArithmetic(fold=False, channels_last=False), 256)
    sampler = Sampler(prepared, _AddedInBfloat16(3), name="low-bits", num_classes=2)
    request = [DrawRequest(0, Draws(Phase.ESTIMATION, 0, 2000))]
    ids = np.zeros(1, np.uint64)
    black, one = (sampler.count(ImageSet(image, ids), request)[0].counts for image in (BLACK, ONE))
    assert black.argmax() != one.argmax()
    for counts in (black, one):
        assert gaussian_radius(int(counts.max()), 2000, 0.001, 0.5) > DISTANCE


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_quantized_noise_certifies_nothing_false(dtype: torch.dtype) -> None:
    """Under the default both images get one class, in either precision: integers have no low bits."""
    predictions, _ = _predictions_and_reach("quantized", dtype)
    assert len(predictions - {None}) <= 1
