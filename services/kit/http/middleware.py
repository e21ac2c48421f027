"""Pure ASGI middleware: a bound on bodies (size and time) and security headers."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from datetime import timedelta

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.kit.http.errors import error_body

_DRAIN_FACTOR = 32
_DRAIN_SECONDS = 5.0
"""What is thrown away of a body that is too large, so that its sender gets to read why."""


class BodyLimit:
    """Reads each body up to a limit before the application sees it; 413 above it, 408 for a sender that dawdles."""

    def __init__(self, app: ASGIApp, *, max_bytes: int, timeout: timedelta, except_below: Collection[str]) -> None:
        """`except_below`: path prefixes of applications that bound their bodies themselves."""
        self._app = app
        self._max = max_bytes
        self._seconds = timeout.total_seconds()
        self._except = tuple(except_below)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http" or scope["path"].startswith(self._except) or scope["method"] in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._seconds):
                body = await self._read(scope, receive)
        except TimeoutError:
            answer = error_body("request_timeout", "The request body did not arrive in time.", "Send it again.")
            await JSONResponse(answer, 408, headers={"Connection": "close"})(scope, receive, send)
            return
        if body is None:
            await self._drain(receive)
            answer = error_body(
                "payload_too_large", f"The body is larger than {self._max} bytes.", "Send a smaller request."
            )
            await JSONResponse(answer, 413, headers={"Connection": "close"})(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)

    async def _drain(self, receive: Receive) -> None:
        """Read on for a while: a client that is still sending does not see an answer, only a broken connection."""
        left = self._max * _DRAIN_FACTOR
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while left > 0:
                    message = await receive()
                    left -= len(message.get("body", b""))
                    if message["type"] == "http.disconnect" or not message.get("more_body", False):
                        return

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._max:
            return None
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return b"".join(chunks)
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self._max:
                return None
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)


class SecurityHeaders:
    """Headers that keep browsers from sniffing, framing and leaking addresses; pages add their own policy for content."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("X-Frame-Options", "DENY")
                headers.setdefault("Referrer-Policy", "same-origin")
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()  # what follows a body is the disconnect
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
