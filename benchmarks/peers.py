"""The certified-accuracy table of a test set: certd against the published loop and against ART, side by side.

    python -m benchmarks.peers --weights resnet20_noise_0.25.pth --data cifar10_test.npz
        [--device cuda] [--fixed]

All sides certify the same images at one alpha, with a budget of 1e5 draws an image. certd decides the table's
radii with the labelled ``radii`` plan; the peers know the fixed plan only. A peer's draws a second are
measured on a slice, each at its best batch and in a process of its own, in rounds that alternate with
certd's; its whole cost is that speed times its draws. certd's own cost is measured on ``--images`` of the set
and scaled by images. One thread each. Prints Markdown.
"""

from __future__ import annotations

import time
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.machine import describe
from benchmarks.rivals import ALPHA, RIVALS, RivalProcess
from benchmarks.table import table_parser
from certd.datasets import open_dataset
from certd.models import Declaration, open_model
from certd.models.runtime.arithmetic import ExecutionArithmetic
from certd.models.runtime.prepare import prepare
from certd.reports import certified_accuracy
from certd.smoothing import parse_request
from certd.smoothing.certifier import Certifier

if TYPE_CHECKING:
    import argparse

    from certd.datasets import Dataset, LazyDataset
    from certd.models import BaseClassifier
    from certd.models.runtime.prepared import PreparedClassifier

N0, N = 100, 100_000
ROUNDS = 3
SLICE_DRAWS = {"cpu": 768, "cuda": 16384}


def main() -> None:
    """Measure, and print the table."""
    arguments = _arguments()
    torch.set_num_threads(1)
    declared = Declaration(name="model", preset=arguments.preset)
    opener = partial(open_model, str(arguments.weights), declared, arguments.device)
    classifier = opener()
    whole = open_dataset(f"npz:{arguments.data}").select(skip=arguments.skip)
    measured = whole.select(skip=max(1, len(whole) // arguments.images))
    image = np.asarray(whole.images[:1])[0]
    draws = SLICE_DRAWS[arguments.device]
    rivals = RivalProcess(opener, image, arguments.sigma, arguments.device)
    batches = {name: rivals.best_batch(name, draws) for name in RIVALS}
    speeds: dict[str, list[float]] = {name: [] for name in RIVALS}
    limits: dict[str, list[float]] = {dtype: [] for dtype in arguments.dtypes}
    prepared = {dtype: _prepared(classifier, dtype, arguments) for dtype in arguments.dtypes}
    for _ in range(ROUNDS):
        for name, batch in batches.items():
            speeds[name].append(draws / rivals.seconds(name, draws, batch))
        for dtype, found in limits.items():
            found.append(arguments.batch / prepared[dtype].seconds_a_batch(5))
    rivals.close()
    ours = {dtype: _certify(classifier, measured, arguments, dtype) for dtype in arguments.dtypes}
    if arguments.fixed:
        last = arguments.dtypes[-1]
        ours[f"{last}, fixed plan"] = _certify(classifier, measured, arguments, last, plan="fixed")
    _print(arguments, len(whole), len(measured), batches, speeds, limits, ours)


def _prepared(classifier: BaseClassifier, dtype: str, arguments: argparse.Namespace) -> PreparedClassifier:
    """Return the classifier as certd executes it, whose forward pass alone is the limit."""
    execution = ExecutionArithmetic.model_validate({"dtype": dtype, "compiled": True})
    return prepare(classifier, execution, arguments.batch, arguments.device)


def _certify(
    classifier: BaseClassifier,
    images: Dataset | LazyDataset,
    arguments: argparse.Namespace,
    dtype: str,
    plan: str = "radii",
) -> dict[str, Any]:
    """Certify the measured images and return what it cost, and the table."""
    request = parse_request(
        {
            "model": "x",
            "plan": plan,
            "sigma": arguments.sigma,
            "n": N,
            "alpha": ALPHA,
            "seed": 1,
            "dtype": dtype,
            "compiled": True,
            "batch_size": arguments.batch,
        }
    )
    certification = request.resolve(classifier.reference, labelled=True)
    certifier = Certifier(classifier, certification, arguments.device)
    began = time.perf_counter()
    certificates = certifier.certify(np.asarray(images.images[:]), images.image_ids, images.labels)
    seconds = time.perf_counter() - began
    radii = np.array([certificate.conclusion.radius for certificate in certificates])
    correct = np.array([certificate.correct is True for certificate in certificates])
    return {
        "seconds": seconds,
        "draws": sum(certificate.record.total_draws for certificate in certificates),
        "accuracy": certified_accuracy(radii, correct, [0, 0.25, 0.5, 0.75]).tolist(),
        "dtype": dtype,
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
    print(f"peers on slices of {SLICE_DRAWS[arguments.device]} draws.\n")
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
    for name, result in ours.items():
        limit = median(limits[result["dtype"]])
        share = result["draws"] / result["seconds"] / limit
        accuracy = ", ".join(f"{value:.3f}" for value in result["accuracy"])
        print(f"\n{name}: {share:.0%} of the forward pass alone ({limit:,.0f} draws a second);")
        print(f"certified accuracy at 0, .25, .5, .75 on the measured images: {accuracy}.")


def _arguments() -> argparse.Namespace:
    parser = table_parser(__doc__)
    parser.add_argument("--images", type=int, default=50, help="images that certd is measured on")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument(
        "--fixed", action="store_true", help="certify with the fixed plan too: 1e5 draws each"
    )
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    return parser.parse_args()


if __name__ == "__main__":
    main()
