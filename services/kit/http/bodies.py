"""Reading a request's body up to a bound. Bare ASGI, because hot paths use it, too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from clawstack.errors import PayloadTooLargeError

#: Slower than any line that people have; a sender below it only holds a connection. At it 1 MiB may take two minutes.
_SLOWEST_BYTES_PER_SECOND: Final = 8 * 1024
BODY_SECONDS: Final = 30.0


async def pieces(
    scope: Scope, receive: Receive, *, limit: int, seconds: float = BODY_SECONDS
) -> AsyncGenerator[bytes, None]:
    """The body as it arrives, never more than `limit` bytes, within `seconds` and what its size adds at 8 KiB a second.

    Raises PayloadTooLargeError, before anything is read where the header already says so; TimeoutError for one that
    trickles or pauses for `seconds`; ClientDisconnect for a body that broke off.
    """
    declared = dict(scope["headers"]).get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > limit:
        raise too_large(limit)
    size = 0
    now = asyncio.get_running_loop().time
    begun = now()
    while True:
        whole = begun + seconds + size / _SLOWEST_BYTES_PER_SECOND
        async with asyncio.timeout_at(min(whole, now() + seconds)):
            message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise too_large(limit)
        if piece:
            yield piece
        if not message.get("more_body", False):
            return


async def read_body(scope: Scope, receive: Receive, *, limit: int, seconds: float = BODY_SECONDS) -> bytes:
    """The whole body; raises as `pieces` does."""
    return b"".join([piece async for piece in pieces(scope, receive, limit=limit, seconds=seconds)])


async def drain(receive: Receive, *, at_most: int, seconds: float) -> None:
    """Throw away what is still coming, for a while: a client that is sending sees no answer, only a broken connection."""
    left = at_most
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return


def too_large(limit: int) -> PayloadTooLargeError:
    """What the sender of a larger body is told."""
    return PayloadTooLargeError(f"The body is larger than {limit} bytes.")
