"""The body limit, held while the body streams in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from api.errors import problem
from certd.errors import TooLarge

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI middleware that stops reading a body past ``max_bytes``, announced or not.

    Args:
        app: The application inside.
        max_bytes: Largest body.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a counted body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        counted = _CountedBody(scope, receive, send, self._max_bytes)
        if counted.announced_bytes > self._max_bytes:
            await counted.refuse()
        else:
            await self._app(scope, counted.receive, counted.send)


class _CountedBody:
    """One request's body, and the one answer that there is once it has grown too large."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_bytes: int) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._max_bytes = max_bytes
        self._received = 0
        self._answered = False

    @property
    def announced_bytes(self) -> int:
        """Return what the header says; 0 without one, or with one that says nothing."""
        length = Headers(scope=self._scope).get("content-length", "")
        return int(length) if length.isascii() and length.isdecimal() and len(length) < 20 else 0

    async def receive(self) -> Message:
        """Return the next part of the body.

        Raises:
            TooLarge: If that makes it too large.
        """
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > self._max_bytes:
            raise self._too_large()
        return message

    async def send(self, message: Message) -> None:
        """Pass the answer on, unless the body was cut off: its reader may have taken it for a broken one."""
        if self._received <= self._max_bytes:
            self._answered = True
            await self._send(message)
        elif not self._answered:
            await self.refuse()

    async def refuse(self) -> None:
        """Answer 413."""
        self._answered = True
        error = self._too_large()
        response = problem(error.status, error.code, error.title, error.message, **error.details)
        await response(self._scope, self._receive, self._send)

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"A request body may hold {self._max_bytes} bytes; this one is larger. "
            "Send the images in several jobs.",
            max_body_bytes=self._max_bytes,
        )
