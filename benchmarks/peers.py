"""The certified-accuracy table of a test set: certd against the published loop and against ART, side by side.

    python -m benchmarks.peers --weights resnet20_noise_0.25.pth --data cifar10_test.npz

All sides certify the same images at one alpha, with a budget of 1e5 draws an image. certd decides the table's
radii with the labelled ``radii`` plan; the peers know the fixed plan only. A peer's draws a second are
measured on a slice, each at its best batch, in rounds that alternate with certd's; its whole cost is that
speed times its draws. certd's own cost is measured on ``--images`` of the set and scaled by images. One
thread each. Prints Markdown.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.machine import describe
from benchmarks.rivals import ALPHA, RIVALS, best_batch
from certd.datasets import open_dataset
from certd.models import Declaration, open_model
from certd.models.runtime.arithmetic import ExecutionArithmetic
from certd.models.runtime.prepare import prepare
from certd.reports import certified_accuracy
from certd.smoothing import parse_request
from certd.smoothing.certifier import Certifier

if TYPE_CHECKING:
    from certd.datasets import Dataset, LazyDataset
    from certd.models import BaseClassifier
    from certd.models.runtime.prepared import PreparedClassifier

N0, N = 100, 100_000
ROUNDS = 3
SLICE_DRAWS = 768


def main() -> None:
    """Measure, and print the table."""
    arguments = _arguments()
    torch.set_num_threads(1)
    classifier = open_model(str(arguments.weights), Declaration(name="model", preset=arguments.preset))
    whole = open_dataset(f"npz:{arguments.data}").select(skip=arguments.skip)
    measured = whole.select(skip=max(1, len(whole) // arguments.images))
    image = np.asarray(whole.images[:1])[0]
    asked = (classifier, image, arguments.sigma, SLICE_DRAWS)
    batches = {name: best_batch(rival, *asked) for name, rival in RIVALS.items()}
    speeds: dict[str, list[float]] = {name: [] for name in RIVALS}
    limits: dict[str, list[float]] = {dtype: [] for dtype in arguments.dtypes}
    prepared = {dtype: _prepared(classifier, dtype, arguments.batch) for dtype in arguments.dtypes}
    for _ in range(ROUNDS):
        for name, rival in RIVALS.items():
            speeds[name].append(SLICE_DRAWS / rival(*asked, batches[name]))
        for dtype, found in limits.items():
            found.append(arguments.batch / prepared[dtype].seconds_a_batch(5))
    ours = {dtype: _certify(classifier, measured, arguments, dtype) for dtype in arguments.dtypes}
    _print(arguments, len(whole), len(measured), batches, speeds, limits, ours)


def _prepared(classifier: BaseClassifier, dtype: str, batch: int) -> PreparedClassifier:
    """Return the classifier as certd executes it, whose forward pass alone is the limit."""
    execution = ExecutionArithmetic.model_validate({"dtype": dtype, "compiled": True})
    return prepare(classifier, execution, batch)


def _certify(
    classifier: BaseClassifier, images: Dataset | LazyDataset, arguments: argparse.Namespace, dtype: str
) -> dict[str, Any]:
    """Certify the measured images with the default plan and return its cost and its table."""
    request = parse_request(
        {
            "model": "x",
            "sigma": arguments.sigma,
            "n": N,
            "alpha": ALPHA,
            "seed": 1,
            "dtype": dtype,
            "compiled": True,
            "batch_size": arguments.batch,
        }
    )
    certifier = Certifier(classifier, request.resolve(classifier.reference, labelled=True))
    began = time.perf_counter()
    certificates = certifier.certify(np.asarray(images.images[:]), images.image_ids, images.labels)
    seconds = time.perf_counter() - began
    radii = np.array([certificate.conclusion.radius for certificate in certificates])
    correct = np.array([certificate.correct is True for certificate in certificates])
    return {
        "seconds": seconds,
        "draws": sum(certificate.record.total_draws for certificate in certificates),
        "accuracy": certified_accuracy(radii, correct, [0, 0.25, 0.5]).tolist(),
    }


def _print(  # noqa: PLR0913, PLR0917 - what was measured
    arguments: argparse.Namespace,
    num_images: int,
    num_measured: int,
    batches: dict[str, int],
    speeds: dict[str, list[float]],
    limits: dict[str, list[float]],
    ours: dict[str, dict[str, Any]],
) -> None:
    peer_draws = num_images * (N0 + N)
    costs = {name: peer_draws / median(found) for name, found in speeds.items()}
    print(f"{describe()}; {arguments.weights.name}, sigma {arguments.sigma}, {num_images} images,")
    print(f"alpha {ALPHA}, budget {N:,}; certd measured on {num_measured} images and scaled,")
    print(f"peers on slices of {SLICE_DRAWS} draws.\n")
    print("| | draws a second | draws an image | seconds for the table | against the loop | against ART |")
    print("|---|---|---|---|---|---|")
    for name, found in speeds.items():
        print(
            f"| {name}, batch {batches[name]} | {median(found):,.0f} | {N0 + N:,} | {costs[name]:,.0f} | | |"
        )
    for dtype, result in ours.items():
        seconds = result["seconds"] * num_images / num_measured
        rate = result["draws"] / result["seconds"]
        print(
            f"| certd, {dtype}, batch {arguments.batch} | {rate:,.0f} | "
            f"{result['draws'] / num_measured:,.0f} | {seconds:,.0f} | "
            f"{costs['reference loop'] / seconds:.1f}x | {costs['ART'] / seconds:.1f}x |"
        )
    for dtype, result in ours.items():
        share = result["draws"] / result["seconds"] / median(limits[dtype])
        accuracy = ", ".join(f"{value:.3f}" for value in result["accuracy"])
        limit = median(limits[dtype])
        print(f"\n{dtype}: {share:.0%} of the forward pass alone ({limit:,.0f} draws a second);")
        print(f"certified accuracy at 0, .25, .5 on the measured images: {accuracy}.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--preset", default="cifar10-pixel-std")
    parser.add_argument("--sigma", type=float, default=0.25)
    parser.add_argument("--skip", type=int, default=20, help="every skip-th image makes the table")
    parser.add_argument("--images", type=int, default=50, help="images that certd is measured on")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    return parser.parse_args()


if __name__ == "__main__":
    main()
