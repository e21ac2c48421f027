"""Broken connections on purpose: the peer sees a reset, as from a crashed server or a dying link."""

import socket
import struct
from collections.abc import Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

EXTENSION: Final = "sandbox.break"
_LINGER_ZERO: Final = struct.pack("ii", 1, 0)


class BreakableConnections:
    """ASGI wrapper next to the server: gives the apps inside a way to cut the connection they answer on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # uvicorn's `send` is a method of the request's cycle, which holds the transport; other servers have none.
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        if scope["type"] == "http" and transport is not None:
            scope.setdefault("extensions", {})[EXTENSION] = lambda: _cut(transport)
        await self._app(scope, receive, send)


async def break_connection(request: Request) -> Response:
    """Cut the connection of this request; the returned response goes nowhere. Raises RuntimeError without a socket."""
    cut_connection(request.scope)
    return Response(status_code=502)


def cut_connection(scope: Scope) -> None:
    """Cut the connection that belongs to this ASGI scope. Raises RuntimeError when there is no real socket below."""
    cut: Callable[[], None] | None = scope.get("extensions", {}).get(EXTENSION)
    if cut is None:
        raise RuntimeError("This request did not come over a socket of `python -m sandbox`, so it cannot be broken.")
    cut()


def _cut(transport: Any) -> None:
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)  # close sends RST instead of FIN
    transport.abort()
