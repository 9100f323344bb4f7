"""``python -m workers.alive``: whether the worker of this container beats; the image's health check.

A process that runs may have lost its queue. So the question is not whether it runs, but whether its
heartbeats reach the queue: their count, on the worker's metrics port, must grow.
"""

from __future__ import annotations

import http.client
import os
import re
import sys
import time

from certd.jobs.workforce import BEAT_SECONDS

COUNT = re.compile(r"^certd_heartbeats_total (\S+)$", re.MULTILINE)
TIMEOUT_SECONDS = 3.0


def main() -> int:
    """Count heartbeats twice; return 0 when there were new ones, else 1."""
    port = int(os.environ.get("CERTD_WORKER_METRICS_PORT", "0"))
    if not port:
        sys.stderr.write("Set CERTD_WORKER_METRICS_PORT; the heartbeats are counted there.\n")
        return 1
    try:
        before = _heartbeats(port)
        time.sleep(2 * BEAT_SECONDS)
        return 0 if _heartbeats(port) > before else 1
    except OSError as error:
        sys.stderr.write(f"The worker does not answer: {error}\n")
        return 1


def _heartbeats(port: int) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/metrics")
        found = COUNT.search(connection.getresponse().read().decode())
    finally:
        connection.close()
    return float(found[1]) if found else 0.0


if __name__ == "__main__":
    sys.exit(main())
