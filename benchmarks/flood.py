"""Ten thousand small jobs and one of ten thousand images at once: nothing lost, and what stays in memory.

    python -m benchmarks.flood [--jobs 10000 --images 10000 --workers 1]

Submits the large job first and the small ones behind it from several connections, waits for all, and counts
every certificate. Memory of the API process and of the queue's server is read before, at its height and after
all jobs have ended. Prints Markdown.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from redis import Redis

from api.embedded.valkey import server_url
from benchmarks.machine import describe
from certd.client import Client
from certd.datasets import load_dataset
from certd.exchange import packed
from examples.certify_digits import service

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECTIONS = 8
SMALL = {
    "model": "digits-cnn",
    "dataset": "digits",
    "limit": 1,
    "sigma": 0.25,
    "plan": "fixed",
    "n0": 10,
    "n": 100,
}
LARGE = {**SMALL, "alpha": 0.01}
ENDED = ("succeeded", "failed", "canceled")


def main() -> None:
    """Flood a service and print what became of it."""
    arguments = _arguments()
    os.environ["CERTD_MAX_UNFINISHED_JOBS"] = str(2 * arguments.jobs + 10)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        with service(folder, arguments.workers) as url, Client(url) as client:
            _warm(client)
            memory = _Memory(folder)
            memory.note("before")
            began = time.monotonic()
            large = client.submit(_without_dataset(LARGE), [_images(arguments.images)])["id"]
            small = _submit_all(url, arguments.jobs)
            submitted = time.monotonic() - began
            memory.note("when all were submitted")
            lost = _lost(client, [large, *small])
            ended = time.monotonic() - began
            rows = len(client.certificates(large))
            time.sleep(arguments.settle)
            memory.note(f"{arguments.settle} s after the last had ended")
            memory.note_again_after(lambda: _submit_all(url, arguments.jobs // 10), client)
    print(f"{describe()}; {arguments.workers} worker(s).\n")
    print(
        f"{arguments.jobs:,} jobs of one image beside one of {arguments.images:,}: submitted in "
        f"{submitted:.0f} s, all ended after {ended:.0f} s; {lost} lost or failed, "
        f"{rows:,} rows of the large.\n"
    )
    memory.show()


class _Memory:
    """Resident memory of the API process and of the queue's server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._api = _newest("api --embedded")
        self._rows: list[tuple[str, float, float]] = []

    def note(self, when: str) -> None:
        """Read both."""
        with Redis.from_url(server_url(self._folder), decode_responses=True) as redis:
            queue = int(redis.info("memory")["used_memory"]) / 2**20
        self._rows.append((when, _resident(self._api), queue))

    def note_again_after(self, again: Callable[[], list[str]], client: Client) -> None:
        """Read both after a tenth of the flood has come and gone once more."""
        _lost(client, again())
        time.sleep(5)
        self.note("after a tenth of it once more")

    def show(self) -> None:
        """Print what was read."""
        print("| | API, MiB | queue, MiB |\n|---|---|---|")
        for when, api, queue in self._rows:
            print(f"| {when} | {api:.0f} | {queue:.1f} |")


def _newest(words: str) -> int:
    """Return the newest process whose command line holds ``words``."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if words in line:
            found.append(int(path.parent.name))
    return max(found)


def _resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def _warm(client: Client) -> None:
    for seed in range(50):
        client.wait(client.submit({**SMALL, "seed": seed})["id"])


def _submit_all(url: str, jobs: int) -> list[str]:
    """Submit small jobs from several connections at once; return their ids."""

    def some(seeds: range) -> list[str]:
        with Client(url) as client:
            return [client.submit({**SMALL, "seed": seed})["id"] for seed in seeds]

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        parts = pool.map(some, [range(first, jobs, CONNECTIONS) for first in range(CONNECTIONS)])
        return [job_id for part in parts for job_id in part]


def _lost(client: Client, job_ids: list[str]) -> int:
    """Wait for every job; return how many have not succeeded with all their images."""
    jobs = (client.wait(job_id) for job_id in job_ids)
    return sum(not _is_whole(job) for job in jobs)


def _is_whole(job: dict[str, Any]) -> bool:
    progress = job["progress"]
    return bool(job["status"] == "succeeded" and progress["images_done"] == progress["images_total"])


def _without_dataset(request: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name not in {"dataset", "limit"}}


def _images(count: int) -> Any:
    digits = load_dataset("digits")
    chosen = np.arange(count) % len(digits)
    assert digits.labels is not None  # noqa: S101 - digits have labels
    return packed(digits.images[chosen], digits.labels[chosen])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--settle", type=int, default=20, help="seconds before memory is read again")
    return parser.parse_args()


if __name__ == "__main__":
    main()
