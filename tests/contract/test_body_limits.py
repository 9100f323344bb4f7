"""A body is cut off where the limit is, however it comes in and whatever it says of its length."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from api.app import create_app
from api.services import Services
from certd.settings import Settings

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from pathlib import Path

    from fastapi import FastAPI

LIMIT = 2**20
CHUNK = 2**16
MULTIPART = b"multipart/form-data; boundary=x"
FILE = b'--x\r\nContent-Disposition: form-data; name="images"; filename="a.npy"\r\n\r\n'
FIELD = b'--x\r\nContent-Disposition: form-data; name="request"\r\n\r\n'


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    """Return the application; no queue is needed to refuse a body."""
    settings = Settings(data_dir=tmp_path, max_body_bytes=LIMIT)
    return create_app(Services.connect(settings, f"unix://{tmp_path}/nobody.sock"))


class Endless:
    """A body that never ends, sent in chunks without a length."""

    def __init__(self, start: bytes) -> None:
        self.sent_bytes = 0
        self._start = start

    async def receive(self) -> MutableMapping[str, Any]:
        """Return the next chunk."""
        chunk = self._start if not self.sent_bytes else b" " * CHUNK
        self.sent_bytes += len(chunk)
        assert self.sent_bytes < 4 * LIMIT, "the body is still read"
        return {"type": "http.request", "body": chunk, "more_body": True}


def _post(app: FastAPI, path: str, kind: bytes, body: Endless, *more: tuple[bytes, bytes]) -> tuple[int, Any]:
    """Post without a Content-Length, and return the status and the problem."""
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", kind), *more]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers}
    asyncio.run(
        app({**scope, "query_string": b"", "root_path": "", "http_version": "1.1"}, body.receive, send)
    )
    content = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], json.loads(content)


@pytest.mark.parametrize(
    ("path", "kind", "start"),
    [
        ("/v1/jobs", b"application/json", b"{"),
        ("/v1/jobs", MULTIPART, FILE),
        ("/v1/jobs", MULTIPART, FIELD),
        ("/v1/estimate", b"application/json", b"{"),
    ],
)
def test_a_body_without_a_length_is_cut_off_at_the_limit(
    app: FastAPI, path: str, kind: bytes, start: bytes
) -> None:
    """The answer is 413 and names the limit; not two chunks more than allowed are read."""
    body = Endless(start)
    status, problem = _post(app, path, kind, body)
    assert status == 413
    assert problem["max_body_bytes"] == LIMIT
    assert body.sent_bytes <= LIMIT + CHUNK + len(start)


def test_a_length_that_lies_changes_nothing(app: FastAPI) -> None:
    """A body that says it is short is cut off all the same."""
    body = Endless(b"{")
    status, _ = _post(app, "/v1/jobs", b"application/json", body, (b"content-length", b"10"))
    assert status == 413


def test_a_body_that_says_it_is_too_long_is_not_read(app: FastAPI) -> None:
    """A length beyond the limit is refused before the first byte."""
    body = Endless(b"{")
    length = str(LIMIT + 1).encode()
    status, _ = _post(app, "/v1/jobs", b"application/json", body, (b"content-length", length))
    assert status == 413
    assert body.sent_bytes == 0
