"""Peak memory: certd in draws and in images, against ART in draws. Each row is a process of its own.

    python -m benchmarks.memory --data-folder ../shared/data

Images are CIFAR-10's, the classifier a small convolutional one. What the process held before it drew anything
is subtracted. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from benchmarks.draws import MODELS
from benchmarks.machine import describe
from benchmarks.rivals import art_seconds
from certd.cli.resumable import ResumableRun
from certd.datasets import open_dataset
from certd.smoothing import parse_request
from certd.smoothing.certifier import Certifier

SIGMA, BATCH = 0.25, 256
CASES = (
    ("certd", 10, 1_000),
    ("certd", 10, 100_000),
    ("certd", 2000, 1_000),
    ("ART", 1, 1_000),
    ("ART", 1, 20_000),
)


def main() -> None:
    """Run every case in a child and print what it took; with ``--case`` be that child."""
    arguments = _arguments()
    if arguments.case:
        who, images, draws = json.loads(arguments.case)
        print(_peak_mebibytes(arguments.data_folder, who, images, draws))
        return
    print(f"{describe()}; batch {BATCH}.\n\n| | images | draws an image | peak, MiB |\n|---|---|---|---|")
    for case in CASES:
        command = [sys.executable, "-m", "benchmarks.memory", f"--data-folder={arguments.data_folder}"]
        child = subprocess.run(
            [*command, f"--case={json.dumps(case)}"], capture_output=True, text=True, check=True
        )
        who, images, draws = case
        print(f"| {who} | {images:,} | {draws:,} | {float(child.stdout):,.0f} |", flush=True)


def _peak_mebibytes(folder: Path, who: str, num_images: int, draws: int) -> float:
    torch.set_num_threads(1)
    classifier = MODELS["cifar-small"](folder)
    images = open_dataset(f"npz:{folder / 'cifar10_test.npz'}").select(limit=num_images)
    first = np.asarray(images.images[:1])[0]
    if who == "ART":
        art_seconds(classifier, first, SIGMA, 64, 64)  # imports, and allocates what it keeps
        before = _peak()
        art_seconds(classifier, first, SIGMA, draws, BATCH)
        return _peak() - before
    request = parse_request(
        {"model": "x", "sigma": SIGMA, "plan": "fixed", "n": draws, "seed": 1, "batch_size": BATCH}
    )
    certifier = Certifier(classifier, request.resolve(classifier.reference, labelled=True))
    certifier.certify(first[None], np.array([1 << 40], dtype=np.uint64), np.zeros(1, dtype=np.int64))
    before = _peak()
    ResumableRun(certifier.manifest(None, images.image_ids), None).go_on(certifier, images, lambda _: None)
    return _peak() - before


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-folder", type=Path, default=Path("../shared/data"))
    parser.add_argument("--case", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
