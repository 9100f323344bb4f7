"""Draws a second, model by model: certd against the published loop and ART, and against the forward pass.

    python -m benchmarks.draws --data-folder ../shared/data [--models digits-cnn resnet20 ...] [--device cuda]

All sides draw for the same image on one thread, in rounds that alternate; the table gives medians. A rival
runs in a process of its own at its best batch, certd at the one that ``batch_size: auto`` finds, on a GPU
among fewer sizes. There the table also gives the share of the computed floor, and of the noise. Networks
without weights are timed only. Prints Markdown.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks import floor
from benchmarks.machine import describe
from benchmarks.rivals import RIVALS, RivalProcess, device_of
from certd.models import BaseClassifier, Declaration, load_model, open_model
from certd.models.architectures import ARCHITECTURES
from certd.models.runtime.arithmetic import ExecutionArithmetic
from certd.models.runtime.batch_size import best_batch_size
from certd.models.runtime.prepare import prepare
from certd.noise.sources import open_source
from certd.noise.specification import NoiseSpecification
from certd.smoothing import parse_request
from certd.smoothing.certifier import Certifier
from certd.smoothing.settling import CPU_CANDIDATES

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from benchmarks.rivals import Opener
    from certd.models.runtime.prepared import PreparedClassifier

SIGMA, ROUNDS = 0.25, 5
SLICE_SECONDS = {"cpu": 1.5, "cuda": 0.5}
NOISE_REPEATS = 20
CUDA_BATCHES = (256, 512, 2048, 4096, 8192)
LARGEST_BATCH_PIXELS = 8192 * 3 * 32 * 32
EXECUTIONS = {
    "float32": ExecutionArithmetic(),
    "float32, compiled": ExecutionArithmetic(compiled=True),
    "bfloat16, compiled": ExecutionArithmetic(dtype="bfloat16", compiled=True),
}


@dataclass(slots=True)
class Contender:
    """One way to spend draws: the time it takes for so many, and the speeds that were found."""

    seconds: Callable[[int], float]
    draws: int
    batch: int
    limit: Callable[[], float] | None = None
    dtype: str | None = None
    speeds: list[float] = field(default_factory=list)
    limits: list[float] = field(default_factory=list)

    def measure(self) -> None:
        """Add one round, and the forward pass alone beside it."""
        self.speeds.append(self.draws / self.seconds(self.draws))
        if self.limit is not None:
            self.limits.append(self.limit())


def main() -> None:
    """Measure each model and print its rows."""
    arguments = _arguments()
    torch.set_num_threads(1)
    print(f"{describe()}; one thread, medians of {ROUNDS} alternating rounds.\n")
    ceilings = _ceilings() if arguments.device == "cuda" else {}
    columns = [
        "model",
        "",
        "batch",
        "draws a second",
        "against the loop",
        "against ART",
        "of the forward pass",
    ]
    columns += ["of the floor", "noise"] if ceilings else []
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)
    for name in arguments.models:
        opener = partial(MODELS[name], arguments.data_folder)
        _measure(name, opener, arguments.device, ceilings)


def _ceilings() -> dict[str, floor.Ceilings]:
    """Measure the device, and say what was found."""
    found = {dtype: floor.measure(getattr(torch, dtype), "cuda") for dtype in ("float32", "bfloat16")}
    for dtype, ceilings in found.items():
        print(f"{dtype}: {ceilings.operations / 1e12:.0f} TFLOP/s, copies {ceilings.bytes / 1e12:.2f} TB/s.")
    print(flush=True)
    return found


def _measure(name: str, opener: Opener, device: str, ceilings: dict[str, floor.Ceilings]) -> None:
    classifier = opener()
    classifier.module.to(device)
    image = np.random.default_rng(0).integers(0, 256, classifier.input_shape, dtype=np.uint8)
    process = RivalProcess(opener, image, SIGMA, device)
    first = 64 if device == "cpu" else _that_fit(classifier)
    contenders = {each: _rival(process, each, first, device) for each in RIVALS} | _ours(classifier, image)
    for _ in range(ROUNDS):
        for contender in contenders.values():
            contender.measure()
    process.close()
    speeds = {kind: median(contender.speeds) for kind, contender in contenders.items()}
    for kind, contender in contenders.items():
        ratios = [f"{speeds[kind] / speeds[rival]:.2f}x" for rival in RIVALS]
        share = f"{speeds[kind] / median(contender.limits):.0%}" if contender.limits else ""
        row = [name, kind, str(contender.batch), f"{speeds[kind]:,.0f}", *ratios, share]
        if ceilings:
            row += _on_gpu(classifier, contender, speeds[kind], ceilings)
        print(f"| {' | '.join(row)} |", flush=True)


def _on_gpu(
    classifier: BaseClassifier, contender: Contender, speed: float, ceilings: dict[str, floor.Ceilings]
) -> list[str]:
    """Return the share of the computed floor, and how much of the time the noise takes."""
    if contender.dtype is None:
        return ["", ""]
    fastest = floor.draws_a_second(classifier, getattr(torch, contender.dtype), ceilings[contender.dtype])
    return [f"{speed / fastest:.0%}", f"{speed * _noise_seconds(classifier, contender.batch):.1%}"]


def _noise_seconds(classifier: BaseClassifier, batch: int) -> float:
    """Return the time of one draw's noise on the GPU."""
    pixels = torch.zeros(1, *classifier.input_shape, dtype=torch.uint8, device="cuda").flatten(1)
    ids, draws = (torch.arange(size, device="cuda").to(torch.int32) for size in (1, batch))
    rows, noisy = torch.zeros_like(draws).long(), torch.empty(batch, pixels.shape[1], device="cuda")
    source = open_source(NoiseSpecification(family="gaussian", sigma=SIGMA), 1)
    times = []
    for _ in range(ROUNDS):
        torch.cuda.synchronize()
        began = perf_counter()
        for _ in range(NOISE_REPEATS):
            source.perturb(pixels, ids.long().view(torch.uint64), rows, draws.view(torch.uint32), noisy)
        torch.cuda.synchronize()
        times.append((perf_counter() - began) / NOISE_REPEATS)
    return median(times) / batch


def _rival(process: RivalProcess, name: str, first: int, device: str) -> Contender:
    process.seconds(name, first, first)  # imports, and warms up
    trial = max(first, _draws(first / process.seconds(name, first, first), device) // 4)
    batch = process.best_batch(name, trial)
    speed = trial / process.seconds(name, trial, batch)
    return Contender(lambda draws: process.seconds(name, draws, batch), _draws(speed, device), batch)


def _ours(classifier: BaseClassifier, image: NDArray[np.uint8]) -> dict[str, Contender]:
    return {f"certd, {name}": _own(classifier, image, how) for name, how in EXECUTIONS.items()}


def _own(classifier: BaseClassifier, image: NDArray[np.uint8], execution: ExecutionArithmetic) -> Contender:
    plain = execution.model_copy(update={"compiled": False})
    device = device_of(classifier)
    candidates = CPU_CANDIDATES if device == "cpu" else _cuda_batches(classifier)
    batch = best_batch_size(
        lambda size: prepare(classifier, plain, size, device).seconds_a_batch(), candidates
    )
    prepared = prepare(classifier, execution, batch, device)
    draws = max(2, _draws(batch / prepared.seconds_a_batch(), device) // batch) * batch
    return Contender(
        seconds=lambda count: _certd_seconds(classifier, image, prepared, count),
        draws=draws,
        batch=batch,
        limit=lambda: batch / prepared.seconds_a_batch(5),
        dtype=execution.dtype,
    )


def _that_fit(classifier: BaseClassifier) -> int:
    """Return how many images make as many pixels as the largest batch of small ones."""
    return max(CUDA_BATCHES[0], LARGEST_BATCH_PIXELS // math.prod(classifier.input_shape))


def _cuda_batches(classifier: BaseClassifier) -> list[int]:
    return [size for size in CUDA_BATCHES if size <= 2 * _that_fit(classifier)]


def _draws(speed: float, device: str) -> int:
    return max(32, int(speed * SLICE_SECONDS[device]))


def _certd_seconds(
    classifier: BaseClassifier, image: NDArray[np.uint8], prepared: PreparedClassifier, draws: int
) -> float:
    """Time the fixed plan on one image, selection draws included."""
    execution, batch = prepared.execution, prepared.execution.batch_size
    request = parse_request(
        {
            "model": "x",
            "sigma": SIGMA,
            "plan": "fixed",
            "n0": batch,
            "n": draws - batch,
            "seed": 1,
            "dtype": execution.dtype,
            "compiled": execution.compiled,
            "batch_size": batch,
        }
    )
    certification = request.resolve(classifier.reference, labelled=False)
    certifier = Certifier(classifier, certification, execution.device, prepared)
    ids = np.zeros(1, dtype=np.uint64)
    began = perf_counter()
    certifier.certify(image[None], ids)
    return perf_counter() - began


def _shape(
    architecture: str,
    input_shape: tuple[int, int, int],
    num_classes: int,
    folder: Path,  # noqa: ARG001 - needs no weights
) -> BaseClassifier:
    """Return a network of random weights, whose time is that of a trained one."""
    torch.manual_seed(0)
    module = ARCHITECTURES[architecture](input_shape, num_classes).eval()
    return BaseClassifier.from_module(module, architecture, input_shape, num_classes)


def _trained(file: str, preset: str, folder: Path) -> BaseClassifier:
    return open_model(str(folder / "weights" / file), Declaration(name="model", preset=preset))


def _digits(folder: Path) -> BaseClassifier:  # noqa: ARG001 - comes with certd
    return load_model("digits-cnn")


def _convex(folder: Path) -> BaseClassifier:
    declaration = Declaration(
        name="cifar-small",
        preset="cifar10",
        architecture="convex-small",
        mean=(0.485, 0.456, 0.406),
        std=(0.225, 0.225, 0.225),
    )
    return open_model(str(folder / "weights" / "cifar_small_36px.pth"), declaration)


MODELS: dict[str, Callable[[Path], BaseClassifier]] = {
    "digits-cnn": _digits,
    "cifar-small": _convex,
    "resnet20": partial(_trained, "resnet20_noise_0.25.pth", "cifar10-pixel-std"),
    "resnet110": partial(_shape, "cifar-resnet110-projection", (3, 32, 32), 10),
    "resnet50": partial(_shape, "resnet50", (3, 224, 224), 1000),
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-folder", type=Path, default=Path("../shared/data"))
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    return parser.parse_args()


if __name__ == "__main__":
    main()
