"""What the service adds to the library: a long job, and one small image, through REST, queue and worker.

    python -m benchmarks.service

Starts the embedded stack with one worker. The long job runs through the service and in this process in turn,
with one seed, so that both draw the same noise; the small ones follow one another on a warm worker. Prints
Markdown.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

import torch

import certd
from benchmarks.machine import describe
from certd.client import Client
from certd.datasets import open_dataset
from examples.certify_digits import digit_files, service

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 3
LONG = {"model": "digits-cnn", "sigma": 0.25, "plan": "fixed", "alpha": 0.001, "seed": 1}
SMALL = {**LONG, "n": 1000}


def main() -> None:
    """Measure both and print them."""
    arguments = _arguments()
    torch.set_num_threads(1)
    print(f"{describe()}; digits-cnn, one worker of one thread.\n")
    with (
        tempfile.TemporaryDirectory() as folder,
        service(Path(folder)) as url,
        Client(url) as client,
    ):
        _long(client, {**LONG, "n": arguments.n}, arguments.images)
        _small(client, arguments.small)


def _long(client: Client, request: dict[str, Any], num_images: int) -> None:
    """Alternate service and library on the same job."""
    images, labels = digit_files(num_images)
    dataset = open_dataset("digits").select(limit=num_images)
    options = {name: value for name, value in request.items() if name not in {"model", "sigma"}}
    times: dict[str, list[float]] = {"library": [], "service": []}
    for _ in range(ROUNDS):
        times["library"].append(
            _timed(
                lambda: certd.certify(
                    request["model"], dataset.images[:], dataset.labels, sigma=request["sigma"], **options
                )
            )
        )
        times["service"].append(_timed(lambda: _through(client, {**request, "labels": labels}, images)))
    library, served = median(times["library"]), median(times["service"])
    print(f"| {num_images} images, n = {request['n']:,} | seconds, median of {ROUNDS} |\n|---|---|")
    print(f"| library in this process | {library:.1f} |\n| REST, queue and worker | {served:.1f} |")
    print(f"\nThe service adds {served / library - 1:+.1%}.\n", flush=True)


def _small(client: Client, times: int) -> None:
    """Send one image again and again, each time as a new job."""
    images, _ = digit_files(1)
    _through(client, SMALL, images)
    found = [
        1000 * _timed(partial(_through, client, {**SMALL, "seed": seed}, images)) for seed in range(times)
    ]
    cuts = quantiles(found, n=100)
    print(f"One image, n = 1,000, warm worker, {times} times: p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms.")


def _through(client: Client, request: dict[str, Any], images: list[tuple[str, bytes]]) -> None:
    job = client.wait(client.submit(request, images)["id"])
    if job["status"] != "succeeded":
        raise SystemExit(f"The job {job['status']}: {job['error']}")
    client.certificates(job["id"])


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--small", type=int, default=50)
    return parser.parse_args()


if __name__ == "__main__":
    main()
