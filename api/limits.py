"""The body limit, held while the body streams in."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise TooLarge(
                    f"A request body may hold {self._max_bytes} bytes; this one is larger. "
                    "Send the images in several jobs.",
                    max_body_bytes=self._max_bytes,
                )
            return message

        await self._app(scope, counted, send)
