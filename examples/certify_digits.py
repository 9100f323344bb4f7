"""Certify 50 handwritten digits through the whole service: HTTP, queue, worker, report.

Starts the stack, POSTs the images as PNG files in one request, watches the job, prints what was proved, and
stops everything again.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from certd.cli.display import show_certificates, show_report
from certd.client import Client
from certd.datasets import load_dataset

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).resolve().parents[1]
READY_SECONDS = 60.0


def main() -> int:
    """Run the demonstration; return 0 when the job succeeded."""
    arguments = _arguments()
    images, labels = digit_files(arguments.images)
    request = {
        "model": "digits-cnn",
        "sigma": 0.25,
        "plan": "fixed",
        "n0": 100,
        "n": arguments.n,
        "alpha": 0.001,
        "labels": labels,
        "seed": arguments.seed,
    }
    with service(arguments.data_dir) as url, Client(url) as client:
        _say(f"Serving on {url}. Sending {len(images)} digits as PNG files in one request.")
        job = client.submit(request, images)
        ended = watch(client, job)
        if ended["status"] != "succeeded":
            _say(f"The job {ended['status']}: {ended['error']}")
            return 1
        show_certificates(client.certificates(job["id"]))
        show_report(client.report(job["id"]))
        client.page(job["id"])  # asked for once, it is kept beside the report
    folder = arguments.data_dir / "jobs" / job["id"] / "report"
    _say(f"report               {folder / 'report.json'}\npage                 {folder / 'report.html'}")
    return 0


def digit_files(count: int) -> tuple[list[tuple[str, bytes]], list[int]]:
    """Return ``count`` held-out digits as PNG files, with their labels."""
    digits = load_dataset("digits").select(limit=count)
    assert digits.labels is not None
    return [
        (f"digit-{i}.png", _png(image[0])) for i, image in enumerate(digits.images)
    ], digits.labels.tolist()


@contextmanager
def service(data_dir: Path, workers: int = 1) -> Iterator[str]:
    """Start API, server and workers as one command on a free port, and stop them at the end."""
    command = [sys.executable, "-m", "api", "--embedded", "--port", "0", "--workers", str(workers)]
    environment = {**os.environ, "CERTD_DATA_DIR": str(data_dir.resolve())}
    log_path = data_dir / "service.log"
    data_dir.mkdir(parents=True, exist_ok=True)
    with log_path.open("w") as log:
        process = subprocess.Popen(
            command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            sys.exit(f"The service did not start:\n{log_path.read_text()}")
        _wait_until_ready(url)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def watch(client: Client, job: dict[str, Any]) -> dict[str, Any]:
    """Show a bar of the draws counted until the job has ended."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f}% of draws"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("certifying", total=job["progress"]["draws_expected"])

        def show(now: dict[str, Any]) -> None:
            progress = now["progress"]
            done = f"{now['status']}, {progress['images_done']} of {progress['images_total']} images"
            bar.update(task, completed=progress["draws_done"], description=done)

        return client.wait(job["id"], show)


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    with Client(url) as client:
        while not client.ready():
            if time.monotonic() > deadline:
                sys.exit(f"No worker came up in {READY_SECONDS:g} s.")
            time.sleep(0.1)


def _png(pixels: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--n", type=int, default=10_000, help="estimation draws an image")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--data-dir", type=Path, default=Path(".certd/demo"))
    return parser.parse_args()


def _say(text: str) -> None:
    Console(soft_wrap=True).print(text, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
