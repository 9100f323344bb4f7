"""A body is cut off where the limit is, however it comes in and whatever it says of its length."""

from __future__ import annotations

import asyncio
import json
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import api.body
from api.app import create_app
from api.body import MAX_REQUEST_PART_BYTES
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


class Whole:
    """A body that comes in one piece."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def receive(self) -> MutableMapping[str, Any]:
        """Return it all."""
        return {"type": "http.request", "body": self._content, "more_body": False}


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


def _post(
    app: FastAPI, path: str, kind: bytes, body: Endless | Whole, *more: tuple[bytes, bytes]
) -> tuple[int, Any]:
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


OPTIONS: dict[str, dict[str, Any]] = {
    "/v1/jobs": {"model": "digits-cnn", "sigma": 0.25},
    "/v1/estimate": {"model": "digits-cnn", "sigma": 0.25},
    "/v1/sweeps": {"ingredients": ["digits-cnn"], "dataset": "digits", "sigmas": [0.25]},
    "/v1/sweeps/job_x/certify": {"sigma": 0.25},
}
MANY = 20_000


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/v1/jobs", {"labels": [""] * MANY}),
        ("/v1/jobs", {"indices": [""] * MANY}),
        ("/v1/jobs", {"image_ids": [-1] * MANY}),
        ("/v1/jobs", {f"option-{i}": 1 for i in range(MANY)}),
        ("/v1/jobs", {"x" * 500_000: 1}),
        ("/v1/estimate", {"radii": [""] * MANY}),
        ("/v1/estimate", {"radii": [0.5] * MANY}),
        ("/v1/estimate", {f"option-{i}": 1 for i in range(MANY)}),
        ("/v1/sweeps", {"indices": [""] * MANY}),
        ("/v1/sweeps", {"calibrate": {f"option-{i}": 1 for i in range(MANY)}}),
        ("/v1/sweeps/job_x/certify", {"indices": [""] * MANY}),
    ],
)
def test_the_refusal_of_a_great_many_mistakes_is_short(
    app: FastAPI, path: str, change: dict[str, Any]
) -> None:
    """One bad entry refuses a list, and of many unknown names the first few are named."""
    body = Whole(json.dumps({**OPTIONS[path], **change}).encode())
    status, problem = _post(app, path, b"application/json", body)
    assert status == 422
    assert len(problem["errors"]) <= 20
    assert problem["pointer"].startswith("/")
    assert len(json.dumps(problem)) < 5_000


@pytest.mark.parametrize("path", OPTIONS)
def test_what_is_left_out_of_a_refusal_is_said(app: FastAPI, path: str) -> None:
    """Twenty unknown options are all named; of twenty-one it is said that there are more."""
    for count, more in ((20, False), (21, True)):
        unknown = {f"option-{i}": 1 for i in range(count)}
        body = Whole(json.dumps({**OPTIONS[path], **unknown}).encode())
        _, problem = _post(app, path, b"application/json", body)
        assert [each["pointer"] for each in problem["errors"]] == [f"/option-{i}" for i in range(20)]
        assert problem.get("more_errors", False) is more


@pytest.mark.parametrize("path", OPTIONS)
def test_options_are_no_longer_than_options_can_be(tmp_path: Path, path: str) -> None:
    """Files may be long; JSON is cut off at its own limit, before anything is made of it."""
    app = create_app(Services.connect(Settings(data_dir=tmp_path), f"unix://{tmp_path}/nobody.sock"))
    status, problem = _post(app, path, b"application/json", Whole(b" " * (MAX_REQUEST_PART_BYTES + 1)))
    assert status == 413
    assert problem["max_body_bytes"] == MAX_REQUEST_PART_BYTES


@pytest.mark.parametrize("path", OPTIONS)
def test_options_are_read_aside(app: FastAPI, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long JSON holds up whoever sent it, and not the event loop."""
    threads: list[int] = []

    def loads(text: bytes | bytearray) -> Any:
        threads.append(threading.get_ident())
        return json.loads(text)

    monkeypatch.setattr(api.body, "json", SimpleNamespace(loads=loads))
    _post(app, path, b"application/json", Whole(b"[]"))
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()
