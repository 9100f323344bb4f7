"""A real S3-compatible server on loopback: moto's; and one that is overloaded."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from uuid import uuid4

from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """Serve S3, and yield the environment that leads its clients there."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield _environment(f"http://{host}:{port}")
    finally:
        server.stop()


class _Overloaded(BaseHTTPRequestHandler):
    """Answers every request as S3 does that has too many of them."""

    def _answer(self) -> None:
        self.send_response(503, "Slow Down")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD = do_PUT = _answer  # noqa: N815 - what the library calls

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def overloaded_server() -> Iterator[dict[str, str]]:
    """Serve nobody, and yield the environment that leads clients there and has them try once."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Overloaded)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield {**_environment(f"http://127.0.0.1:{server.server_port}"), "AWS_MAX_ATTEMPTS": "1"}
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _environment(url: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "tester",
        "AWS_SECRET_ACCESS_KEY": "not-a-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def new_bucket() -> str:
    """Make an empty bucket on the server that the environment names; return its URL with a prefix."""
    import s3fs  # noqa: PLC0415 - reads the environment when it is first used

    name = f"certd-{uuid4().hex}"
    s3fs.S3FileSystem(skip_instance_cache=True).mkdir(name)
    return f"s3://{name}/some/prefix"
