"""Pure ASGI middleware: a bound on bodies (size and time) and security headers."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import timedelta

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clawstack.errors import PayloadTooLargeError
from services.kit.http.bodies import drain, read_body
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
                body = await read_body(scope, receive, limit=self._max)
        except ClientDisconnect:
            return  # nobody is left to be answered
        except TimeoutError:
            answer = error_body("request_timeout", "The request body did not arrive in time.", "Send it again.")
            await JSONResponse(answer, 408, headers={"Connection": "close"})(scope, receive, send)
            return
        except PayloadTooLargeError as error:
            await drain(receive, at_most=self._max * _DRAIN_FACTOR, seconds=_DRAIN_SECONDS)
            answer = error_body(error.code, error.message, "Send a smaller request.")
            await JSONResponse(answer, 413, headers={"Connection": "close"})(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)


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
