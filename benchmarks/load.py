"""What one API process carries: status polls and submissions a second, with 1, 10 and 100 clients.

    python -m benchmarks.load          # needs wrk: apt-get install wrk

Starts the embedded stack with one worker on loopback and loads it with wrk, which shares the machine's cores
with it. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.machine import describe
from certd.client import Client
from examples.certify_digits import service

CLIENTS = (1, 10, 100)
JOB = {
    "model": "digits-cnn",
    "dataset": "digits",
    "limit": 1,
    "sigma": 0.25,
    "plan": "fixed",
    "n0": 1,
    "n": 10,
}
SUBMISSION = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{body}'
"""


def main() -> None:
    """Load a service with polls, then with submissions, and print both."""
    arguments = _arguments()
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("wrk is not installed: apt-get install wrk")
    print(f"{describe()}; one API process, one worker, wrk beside them, {arguments.seconds} s each.\n")
    print(
        "| request | clients | a second | p50 ms | p99 ms | not 2xx |\n|---|---|---|---|---|---|", flush=True
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = folder / "submit.lua"
        script.write_text(SUBMISSION.format(body=json.dumps(JOB)))
        with service(folder / "data") as url, Client(url) as client:
            job_id = client.submit({**JOB, "limit": 300, "n": 100_000})["id"]
            for clients in CLIENTS:
                _row("status of a running job", clients, wrk, f"{url}/v1/jobs/{job_id}", arguments.seconds)
            client.cancel(job_id)
            client.wait(job_id)
            for clients in CLIENTS:
                _row("submission", clients, wrk, f"{url}/v1/jobs", arguments.seconds, "-s", str(script))


def _row(what: str, clients: int, wrk: str, url: str, seconds: int, *options: str) -> None:
    """Load one address and print a row of the table."""
    done = subprocess.run(
        [wrk, "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout=30s", "--latency", *options, url],
        capture_output=True,
        text=True,
        check=True,
    )
    rate = re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    assert rate is not None, done.stdout  # noqa: S101 - what wrk prints
    middle, tail = (_milliseconds(done.stdout, share) for share in ("50%", "99%"))
    print(
        f"| {what} | {clients} | {float(rate[1]):.0f} | {middle:.1f} | {tail:.1f} "
        f"| {refused[1] if refused else 0} |",
        flush=True,
    )


def _milliseconds(printed: str, share: str) -> float:
    found = re.search(rf"{share}\s+([\d.]+)(us|ms|s)", printed)
    assert found is not None, printed  # noqa: S101 - what wrk prints
    return float(found[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[found[2]]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=10)
    return parser.parse_args()


if __name__ == "__main__":
    main()
