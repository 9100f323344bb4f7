"""``python -m api``: serve, with ``--embedded`` together with a private server and workers."""

from __future__ import annotations

import argparse
import signal
import socket
import sys
from typing import TYPE_CHECKING

import structlog
import uvicorn

from api.app import create_app
from api.embedded import EmbeddedStack
from api.services import Services
from certd.access import KeyStore
from certd.access.door import require_keys_beyond_loopback
from certd.errors import CertdError, InvalidParameter
from certd.logs import set_up_logs
from certd.models.runtime.threads import available_cores, oversubscription
from certd.settings import load_settings

if TYPE_CHECKING:
    from certd.settings import Settings


def main() -> int:
    """Serve until SIGTERM or SIGINT; return 0 after a requested stop, 2 when it cannot start."""
    arguments = _arguments()
    set_up_logs()
    # The server hands its signal on after a graceful end; it must unwind us too, so that the stack is
    # stopped.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    try:
        settings = load_settings()
        if arguments.port is not None:
            settings = settings.model_copy(update={"port": arguments.port})
        if arguments.embedded:
            _serve_embedded(settings, arguments.workers)
        else:
            _serve(settings, _required_url(settings))
    except CertdError as error:
        sys.stderr.write(f"{error.message}\n")
        return 2
    return 0


def _leave(*_: object) -> None:
    sys.exit(0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m api", description="Serve the certd REST API.")
    parser.add_argument("--embedded", action="store_true", help="also start a private Valkey and workers")
    parser.add_argument("--workers", type=int, help="worker processes of the embedded stack; one a core")
    parser.add_argument("--port", type=int, help="port to bind; 0 picks a free one")
    return parser.parse_args()


def _required_url(settings: Settings) -> str:
    if settings.redis_url is None:
        raise InvalidParameter("Set CERTD_REDIS_URL to a Redis or Valkey server, or start with --embedded.")
    return settings.redis_url


def _serve_embedded(settings: Settings, num_workers: int | None) -> None:
    """Serve with a private queue and workers; by default one a core, which is fastest, or one accelerator."""
    num_workers = num_workers or (available_cores() if settings.device == "cpu" else 1)
    crowded = oversubscription(num_workers, settings.threads, available_cores())
    if crowded is not None:
        structlog.get_logger().warning("cores_oversubscribed", detail=crowded)
    stack = EmbeddedStack(settings, num_workers)
    try:
        stack.start()
        _serve(settings, stack.redis_url)
    finally:
        stack.stop()


def _serve(settings: Settings, redis_url: str) -> None:
    """Serve on the settings' address; the first line on standard output is the URL."""
    require_keys_beyond_loopback(settings.host, KeyStore(settings.key_file))
    app = create_app(Services.connect(settings, redis_url))
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Said to be TCP: asyncio looks for that before it turns off Nagle's delay, 40 ms an answer.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            raise InvalidParameter(
                f"Cannot bind {settings.host}:{settings.port} ({error.strerror}). "
                "Set CERTD_PORT to another port."
            ) from None
        sys.stdout.write(f"http://{settings.host}:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=10)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    sys.exit(main())
