"""``python -m workers``: serve the queue until SIGTERM or SIGINT."""

from __future__ import annotations

import signal
import sys
import threading

from certd.errors import CertdError
from certd.logs import set_up_logs
from certd.models.runtime.threads import available_cores, oversubscription
from certd.settings import load_settings
from workers.worker import WorkerProcess


def main() -> int:
    """Run one worker; return 0 after a requested stop, 2 when it cannot start."""
    set_up_logs()
    try:
        settings = load_settings()
    except CertdError as error:
        sys.stderr.write(f"{error.message}\n")
        return 2
    if settings.redis_url is None:
        sys.stderr.write(
            "A worker needs CERTD_REDIS_URL, for example redis://localhost:6379/0. "
            "`make serve` starts a server, the API and workers together.\n"
        )
        return 2
    crowded = oversubscription(1, settings.threads, available_cores())
    if crowded is not None:
        sys.stderr.write(f"{crowded}\n")
        return 2
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    WorkerProcess(settings, settings.redis_url, stopped).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
