"""What the dashboard's pages weigh and take: ten thousand jobs in the list, one of fifty thousand rows.

    python -m benchmarks.dashboard [--jobs 10000 --rows 50000]

One small job is certified and copied under other names, and its images under other ids. Prints Markdown.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import httpx

from benchmarks.machine import describe
from certd.client import Client
from certd.jobs.job import Job, new_job_id
from certd.jobs.shards import Shard
from certd.jobs.storage import JobStorage
from certd.smoothing.run import Run
from certd.storage import FolderStore
from examples.certify_digits import service

ROUNDS = 25
SMALL = {"model": "digits-cnn", "dataset": "digits", "limit": 20, "sigma": 0.25, "plan": "fixed", "n": 1000}
PERSON = {"Accept": "text/html"}
SHARD = 500


def main() -> None:
    """Fill a service with jobs, open its pages as a browser does, and print what they weigh and take."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            service(folder) as url,
            Client(url) as client,
            httpx.Client(base_url=url, headers=PERSON) as http,
        ):
            job_id = client.submit(SMALL)["id"]
            client.wait(job_id)
            large = _large(folder, job_id, arguments.rows)
            for _ in range(arguments.jobs - 2):
                _copy(folder, job_id)
            print(f"{describe()}; {arguments.jobs:,} jobs, one of {arguments.rows:,} rows.\n")
            print("| page | bytes | with style and script | first ms | median ms | unchanged ms |")
            print("|---|---|---|---|---|---|")
            for title, path in {
                "jobs, the first page": "/jobs",
                "jobs, one model": "/jobs?model=digits-cnn",
                "jobs, a state that none is in": "/jobs?status=failed",
                "a job of 20 images": f"/jobs/{job_id}",
                f"a job of {arguments.rows:,} images": f"/jobs/{large}",
                "its last rows": f"/jobs/{large}?page=1000",
                "its abstentions": f"/jobs/{large}?outcome=abstained",
            }.items():
                print(_row(http, title, path), flush=True)


def _row(http: httpx.Client, title: str, path: str) -> str:
    page, first = _timed(http, path)
    again = [_timed(http, path)[1] for _ in range(ROUNDS)]
    known = {"If-None-Match": page.headers["etag"]}
    unchanged = [_timed(http, path, known)[1] for _ in range(ROUNDS)]
    parts = set(re.findall(r'"(/static/[^"]+)"', page.text))
    whole = len(page.content) + sum(len(http.get(part).content) for part in parts)
    return (
        f"| {title} | {len(page.content):,} | {whole:,} | {first:.0f} | {median(again):.0f} | "
        f"{median(unchanged):.0f} |"
    )


def _timed(
    http: httpx.Client, path: str, headers: dict[str, str] | None = None
) -> tuple[httpx.Response, float]:
    began = time.perf_counter()
    answer = http.get(path, headers=headers, timeout=120)
    return answer, 1000 * (time.perf_counter() - began)


def _copy(folder: Path, job_id: str) -> None:
    """Store a job once more under a name of its own."""
    jobs, name = folder / "jobs", new_job_id()
    shutil.copytree(jobs / job_id, jobs / name)
    document = jobs / name / "job.json"
    document.write_text(document.read_text().replace(job_id, name))


def _large(folder: Path, job_id: str, rows: int) -> str:
    """Store a job whose certificates are those of another, over and over."""
    storage = JobStorage(FolderStore(folder))
    job, run, outcome = storage.read(job_id), storage.read_run(job_id), storage.read_outcome(job_id)
    if run is None or outcome is None:
        raise RuntimeError("the small job has not ended")
    shards = tuple(Shard(index=i, start=i * SHARD, stop=(i + 1) * SHARD) for i in range(rows // SHARD))
    inputs = job.inputs.model_copy(update={"num_images": rows})
    name = new_job_id()
    large = Job(**{**dict(job), "id": name, "shards": shards, "inputs": inputs})
    storage.create(large, storage.read_inputs(job_id))
    manifest = run.manifest.model_copy(update={"num_images": rows})
    for shard in shards:
        certificates = tuple(
            replace(one, record=replace(one.record, image_id=place))
            for place in range(shard.start, shard.stop)
            for one in (run.certificates[place % len(run.certificates)],)
        )
        storage.write_shard(name, shard.index, Run(manifest, certificates))
    storage.write_outcome(name, outcome)
    return name


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboard")
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=50_000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
