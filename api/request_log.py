"""One canonical line a request, under an id that goes with the job to the worker."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger("api")

HEADER = "X-Request-ID"
QUIET_ROUTES = frozenset({"/livez", "/readyz", "/metrics"})
MAX_LOGGED_PATH = 256

_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Observer(Protocol):
    """What is told of each answer."""

    def __call__(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note one answer: its route as declared, and the time until it began."""


class RequestLog:
    """ASGI middleware outside all others.

    Args:
        app: The application inside.
        observe: Told of each answer.
    """

    def __init__(self, app: ASGIApp, observe: Observer) -> None:
        self._app = app
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on under an id, and say afterwards how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(Headers(scope=scope).get(HEADER))
        # Bound for good: each request is a task with a context of its own, and an error outside this
        # middleware is to be logged under the same id.
        structlog.contextvars.bind_contextvars(request_id=request_id)
        exchange = _Exchange(scope, send, request_id)
        try:
            await self._app(scope, receive, exchange.send)
        finally:
            self._observe(scope["method"], exchange.route, exchange.status, exchange.answer_seconds)
            exchange.write_line()


def request_id_of(shown: str | None) -> str:
    """Return the sender's id where it is harmless in logs and headers, else a fresh one."""
    if shown is not None and _ACCEPTABLE.fullmatch(shown):
        return shown
    return f"req_{uuid4().hex}"


def current_request_id() -> str | None:
    """Return the id of the request in hand; None outside of one."""
    found = structlog.contextvars.get_contextvars().get("request_id")
    return None if found is None else str(found)


class _Exchange:
    """One request and its answer, as far as they are known."""

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self._scope = scope
        self._send = send
        self._request_id = request_id
        self._began = time.monotonic()
        self._answered: float | None = None
        self._num_bytes = 0
        # An answer that was never begun is the server's own 500.
        self.status = 500

    @property
    def route(self) -> str:
        """Return the route as declared, without ids; ``unmatched`` where there is none."""
        path = getattr(self._scope.get("route"), "path", None)
        return path if isinstance(path, str) else "unmatched"

    @property
    def answer_seconds(self) -> float:
        """Return the time until the answer began; a stream may go on long after."""
        return (self._answered or time.monotonic()) - self._began

    async def send(self, message: Message) -> None:
        """Pass on a part of the answer, noting its status, and its id in a header."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._answered = time.monotonic()
            MutableHeaders(scope=message)[HEADER] = self._request_id
        self._num_bytes += len(message.get("body", b""))
        await self._send(message)

    def write_line(self) -> None:
        """Log the request; never its query, headers or body. A probe that went well is no event."""
        if self.route in QUIET_ROUTES and self.status < 400:
            return
        log.info(
            "request_answered",
            method=self._scope["method"],
            path=quote(self._scope["path"])[:MAX_LOGGED_PATH],
            route=self.route,
            status=self.status,
            response_bytes=self._num_bytes,
            answer_seconds=round(self.answer_seconds, 4),
            duration_seconds=round(time.monotonic() - self._began, 4),
        )
