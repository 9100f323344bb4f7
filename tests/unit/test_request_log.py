"""One line a request, under an id that its sender may choose as long as it is harmless."""

from __future__ import annotations

import asyncio
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from api.request_log import RequestLog, request_id_of

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    from starlette.types import ASGIApp, Receive, Scope, Send


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """Collect what is logged, as structlog would print it."""
    found: list[dict[str, Any]] = []

    def collect(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
        found.append(json.loads(json.dumps(event, default=str)))
        return ""

    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, collect],
        logger_factory=structlog.PrintLoggerFactory(io.StringIO()),
    )
    yield found
    structlog.configure(**before)


def _ask(app: ASGIApp, path: str = "/v1/jobs", *headers: tuple[bytes, bytes]) -> dict[str, str]:
    """Send a request through the log to ``app``; return the headers of the answer."""
    sent: list[MutableMapping[str, Any]] = []
    observed: list[tuple[object, ...]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"q=1", "headers": list(headers)}
    log = RequestLog(app, lambda *what: observed.append(what))
    asyncio.run(log(scope, receive, send))
    assert len(observed) == 1
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}


async def _fine(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"four"})


async def _broken(_: Scope, __: Receive, ___: Send) -> None:
    raise ZeroDivisionError


@given(st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True))
def test_a_harmless_id_is_kept(shown: str) -> None:
    """Whoever traces a request through several services finds it here under the same id."""
    assert request_id_of(shown) == shown


@given(st.one_of(st.none(), st.text(max_size=100), st.just("a" * 65), st.just("a\n"), st.just("é")))
def test_any_other_id_is_replaced(shown: str | None) -> None:
    """No line break, quote or flood gets into logs and headers through the id."""
    made = request_id_of(shown)
    assert made.isascii()
    assert 1 <= len(made) <= 64
    assert made.replace(".", "").replace("-", "").replace("_", "").isalnum() or made == shown


def test_a_request_is_one_line(lines: list[dict[str, Any]]) -> None:
    """The line names the request, its answer and how long it took; the answer carries the id."""
    headers = _ask(_fine, "/v1/jobs", (b"x-request-id", b"trace-7"))
    (line,) = lines
    assert headers["x-request-id"] == line["request_id"] == "trace-7"
    assert (line["event"], line["status"], line["response_bytes"]) == ("request_answered", 200, 4)
    assert line["duration_seconds"] >= line["answer_seconds"] >= 0


def test_a_crash_is_one_line_too(lines: list[dict[str, Any]]) -> None:
    """What the application raises is logged as the 500 that it becomes, and is raised on."""
    with pytest.raises(ZeroDivisionError):
        asyncio.run(RequestLog(_broken, lambda *_: None)(_scope(), _nothing, _nowhere))
    assert [line["status"] for line in lines] == [500]


def test_neither_query_nor_headers_are_logged(lines: list[dict[str, Any]]) -> None:
    """A key sent in the wrong place, or in the right one, does not end in the log."""
    _ask(_fine, "/v1/jobs", (b"authorization", b"Bearer certd_secret"), (b"cookie", b"certd_secret"))
    assert "certd_secret" not in json.dumps(lines)
    assert "q=1" not in json.dumps(lines)


def test_a_path_cannot_forge_a_line(lines: list[dict[str, Any]]) -> None:
    """Line breaks and colours in a path are escaped, and a flood is cut."""
    _ask(_fine, "/v1/\nroot \x1b[31m" + "x" * 5000)
    path = lines[0]["path"]
    assert len(path) <= 256
    assert "\n" not in path
    assert "\x1b" not in path


def test_probes_that_go_well_are_no_events(lines: list[dict[str, Any]]) -> None:
    """A monitor's question every second does not bury the rest; one that fails is told."""

    class Route:
        path = "/readyz"

    async def probed(scope: Scope, _: Receive, send: Send) -> None:
        scope["route"] = Route
        status = 200 if scope["path"] == "/readyz" else 503
        await send({"type": "http.response.start", "status": status, "headers": []})

    _ask(probed, "/readyz")
    assert lines == []
    _ask(probed, "/other")
    assert [line["status"] for line in lines] == [503]


def test_requests_at_once_keep_their_ids_apart(lines: list[dict[str, Any]]) -> None:
    """Two requests in one process, interleaved, are logged each under its own id."""

    async def slow(_: Scope, __: Receive, send: Send) -> None:
        await asyncio.sleep(0)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def both() -> None:
        log = RequestLog(slow, lambda *_: None)
        tasks = [
            asyncio.create_task(log(_scope((b"x-request-id", name)), _nothing, _nowhere))
            for name in (b"first", b"second")
        ]
        await asyncio.gather(*tasks)

    asyncio.run(both())
    assert sorted(line["request_id"] for line in lines) == ["first", "second"]


def _scope(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": "/", "headers": list(headers)}


async def _nothing() -> MutableMapping[str, Any]:
    return {"type": "http.disconnect"}


async def _nowhere(_: MutableMapping[str, Any]) -> None:
    return None
