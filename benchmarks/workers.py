"""Two workers against one: the same job through the service, in turn.

    python -m benchmarks.workers

Each worker is a process of one thread. A stack of one worker and one of two take turns, so that both meet the
same machine. Prints Markdown, and what is found so far to standard error.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.machine import describe
from certd.client import Client
from examples.certify_digits import service

ROUNDS = 3
COUNTS = (1, 2)


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    request = {
        "model": "digits-cnn", "dataset": "digits", "limit": arguments.images, "sigma": 0.25,
        "plan": "fixed", "n": arguments.n,
    }  # fmt: skip
    found: dict[int, list[float]] = {count: [] for count in COUNTS}
    with ExitStack() as stack:
        clients = {}
        for count in COUNTS:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            clients[count] = stack.enter_context(Client(stack.enter_context(service(folder, count))))
            _seconds(clients[count], {**request, "limit": 10, "seed": 0})
        for seed in range(1, ROUNDS + 1):
            for count, client in clients.items():
                found[count].append(_seconds(client, {**request, "seed": seed}))
                print(
                    f"round {seed}, {count} of workers: {found[count][-1]:.1f} s", file=sys.stderr, flush=True
                )
    one, two = (median(found[count]) for count in COUNTS)
    print(f"{describe()}; digits-cnn, {arguments.images} images, n = {arguments.n:,}.\n")
    print(f"| workers | seconds, median of {ROUNDS} |\n|---|---|\n| one | {one:.1f} |\n| two | {two:.1f} |\n")
    print(f"Two workers are {one / two:.2f} times as fast as one.")


def _seconds(client: Client, request: dict[str, Any]) -> float:
    began = time.perf_counter()
    job = client.wait(client.submit(request)["id"])
    if job["status"] != "succeeded":
        raise SystemExit(f"The job {job['status']}: {job['error']}")
    return time.perf_counter() - began


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=120)
    parser.add_argument("--n", type=int, default=20_000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
