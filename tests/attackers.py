"""What somebody who wants to do harm sends: bodies of dear shapes, sockets that dawdle. Bounded, and for loopback alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

MOST_SOCKETS: Final = 300
"""No test opens more at once: descriptors and ports are the machine's."""


def filled(piece: bytes, size: int, *, head: bytes = b"[", tail: bytes = b"0]") -> bytes:
    """A body of about `size` bytes, most of it `piece` over and over."""
    return head + piece * ((size - len(head) - len(tail)) // len(piece)) + tail


#: Bodies that were dear to parse, by name and size.
DEAR_BODIES: Final[Mapping[str, Callable[[int], bytes]]] = {
    "empty lists": lambda size: filled(b"[],", size),
    "empty objects": lambda size: filled(b"{},", size),
    "empty texts": lambda size: filled(b'"",', size),
    "numbers": lambda size: filled(b"0,", size),
    "names": lambda size: b"{" + b",".join(b'"%06d":0' % number for number in range(size // 11)) + b"}",
    "deep lists": lambda size: b"[" * (size // 2) + b"]" * (size // 2),
    "deep objects": lambda size: b'{"a":' * (size // 6) + b"0" + b"}" * (size // 6),
    "open brackets": lambda size: b"[" * size,
    "quotes behind slashes": lambda size: filled(rb'"\\\"",[],', size),
}


@dataclass(frozen=True, kw_only=True)
class Victim:
    """Where a server listens, on this machine."""

    port: int
    host: str = "127.0.0.1"

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """One connection on which nothing was sent yet."""
        return await asyncio.open_connection(self.host, self.port)

    async def says(self, sent: bytes) -> bytes:
        """All that is answered to these bytes, until the server ends the connection."""
        reader, writer = await self.connect()
        try:
            writer.write(sent)
            await writer.drain()
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()

    @asynccontextmanager
    async def crowd(self, count: int, *, sending: bytes = b"") -> AsyncIterator[list[asyncio.StreamReader]]:
        """So many connections at once, on each of which `sending` was sent and nothing follows."""
        if count > MOST_SOCKETS:
            raise ValueError(f"at most {MOST_SOCKETS} sockets, not {count}")
        async with AsyncExitStack() as stack:
            readers = []
            for _ in range(count):
                reader, writer = await self.connect()
                stack.callback(writer.close)
                writer.write(sending)
                readers.append(reader)
            yield readers


def request(
    method: str, path: str, *, body: bytes = b"", length: int | None = None, headers: Mapping[str, str] | None = None
) -> bytes:
    """A request as bytes; a `length` above the body's is a body that never comes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: victim", f"Content-Length: {len(body) if length is None else length}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def half_a_header() -> bytes:
    """The beginning of a request that never ends."""
    return b"GET / HTTP/1.1\r\nHost: victim\r\nX-Slow: "
