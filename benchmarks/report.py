"""The report of a million images: seconds, and memory beyond the imports, from a run file on disk.

    python -m benchmarks.report [--images 1000000]

Writes a run file of random counts, then reports on it in a process of its own. Prints Markdown.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.machine import describe
from certd.cli.runs import open_stored
from certd.local import certify
from certd.reports.page import page_of_results
from certd.reports.results_file import MOST_KEPT_APART
from certd.reports.summary import summarize_results
from certd.smoothing import write_run

CLASSES, N, BATCH = 10, 10_000, 50_000


def main() -> None:
    """Measure in a child and print; with ``--file`` be that child."""
    arguments = _arguments()
    if arguments.file:
        _measure(Path(arguments.file))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.parquet"
        _write(path, arguments.images)
        print(f"{describe()}; {arguments.images:,} images of {CLASSES} classes, fixed plan, n = {N:,}.\n")
        print("| | seconds | peak beyond the imports, MiB |\n|---|---|---|", flush=True)
        subprocess.run([sys.executable, "-m", "benchmarks.report", f"--file={path}"], check=True)


def _measure(path: Path) -> None:
    before = _peak_mebibytes()
    began = time.perf_counter()
    stored = open_stored(path, MOST_KEPT_APART)
    read = time.perf_counter()
    assert stored.manifest is not None  # noqa: S101 - it was written by _write
    summarize_results(stored.results, stored.manifest)
    numbers = time.perf_counter()
    print(f"| read and conclude anew | {read - began:.1f} | |")
    print(f"| the numbers as JSON | {numbers - read:.1f} | {_peak_mebibytes() - before:,.0f} |")
    page_of_results(stored.results, stored.manifest)
    print(f"| the page | {time.perf_counter() - numbers:.1f} | {_peak_mebibytes() - before:,.0f} |")


def _peak_mebibytes() -> float:
    """Return what this program held at most; ``getrusage`` would count its parent's memory too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _write(path: Path, images: int) -> None:
    """Write random counts under the manifest of a small run that was certified here."""
    pixels, labels = np.zeros((2, 1, 8, 8), np.uint8), np.array([0, 1])
    small = certify("digits-cnn", pixels, labels, sigma=0.25, plan="fixed", n=N, seed=1)
    with path.with_name("small.parquet").open("w+b") as stream:
        write_run(stream, small)
        stream.seek(0)
        schema = pq.read_schema(stream)
    manifest = small.manifest.model_copy(update={"num_images": images})
    schema = schema.with_metadata({b"certd.manifest": manifest.model_dump_json().encode()})
    random = np.random.default_rng(0)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, images, BATCH):
            length = min(BATCH, images - start)
            unused = {name: [None] * length for name in schema.names}
            rows = {**unused, **_rows(random, start, length)}
            writer.write_table(pa.Table.from_pydict(rows, schema=schema), row_group_size=8192)


def _rows(random: np.random.Generator, start: int, size: int) -> dict[str, object]:
    labels = random.integers(0, CLASSES, size)
    hits = random.binomial(N, random.beta(4, 1, size))
    top = np.where(random.random(size) < 0.8, labels, (labels + 1) % CLASSES)
    counts = np.zeros((size, CLASSES), np.int64)
    counts[np.arange(size), top] = hits
    counts[np.arange(size), (top + 5) % CLASSES] = N - hits
    selection = np.zeros((size, CLASSES), np.int64)
    selection[np.arange(size), top] = 100
    nothing: list[None] = [None] * size
    return {
        "image_id": np.arange(start, start + size, dtype=np.uint64), "label": labels, "prediction": nothing,
        "outcome": nothing, "correct": nothing, "radius": nothing, "p_a_lower": nothing,
        "p_a_estimate": nothing, "p_label_estimate": nothing, "top_class": nothing, "top_count": nothing,
        "draws": nothing, "total_draws": nothing, "image_sha256": ["0" * 64] * size,
        "selection_counts": list(selection), "estimation_counts": list(counts), "pilot_counts": nothing,
        "check_counts": nothing, "trail": [[]] * size, "soft_scores": nothing, "soft_squares": nothing,
        "published_smoothing_radius": nothing, "published_lipschitz_radius": nothing,
        "standard_logits": nothing, "mixing_weight": nothing,
    }  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--file", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
