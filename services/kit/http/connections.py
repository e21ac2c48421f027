"""How many connections there may be, and how long one may take to say what it wants. Below ASGI, for uvicorn.

uvicorn limits neither the time before a request nor the number of those who wait, so that 200 sockets on which nothing is
sent take every descriptor. Here who has sent a whole request keeps its place; who has not yields it, longest silence
first, as soon as somebody else needs it. So no crowd of strangers keeps a cell or a webhook out, from whichever address
both come (cells and a reverse proxy share one).
"""

from __future__ import annotations

import asyncio
import ipaddress
import resource
from collections import Counter, OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from clawstack.logs import get_logger
from services.kit.limits.addresses import network_of

log = get_logger(__name__)

HEADER_SECONDS: Final = 10.0
"""For a header, from the connection or the end of the last answer on; over a poor line one takes two or three."""
_MOST_HEADER_BYTES: Final = 64 * 1024
"""What h11 allows as well; browsers stay below 16 KiB."""
_MOST_DESCRIPTORS: Final = 65_536
"""The limit is raised to no more: programs that we start inherit it, and some walk through all descriptors."""
_RESERVED: Final = 256
"""For PostgreSQL's pools (50), pipes of engines and supervisor, files, and what opens for a moment."""
_EACH: Final = 2
"""A request may open a connection of its own: to a model vendor, to Telegram, to a gateway."""
_FEWEST: Final = 16

_BUSY_BODY: Final = b'{"error":{"code":"too_many_connections","message":"All places are taken.","remedy":"Try again."}}'
_BUSY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 2\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(_BUSY_BODY), _BUSY_BODY)
)
_TOO_LONG: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


@dataclass(frozen=True, kw_only=True)
class ConnectionLimits:
    """What one process holds."""

    total: int
    per_address: int
    header_seconds: float = HEADER_SECONDS
    shared: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    """Networks whose addresses stand for many: trusted proxies. They, and loopback, have no limit per address."""


def raise_descriptor_limit() -> int:
    """Let this process have as many descriptors as it may (up to 65,536); how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return wanted if soft == resource.RLIM_INFINITY else soft


def affordable(descriptors: int, *, wanted: int) -> int:
    """Connections that leave enough descriptors for our own work."""
    return max(_FEWEST, min(wanted, (descriptors - _RESERVED) // _EACH))


class Held(Protocol):
    """A connection, as the gate sees it."""

    def give_up(self) -> None:
        """End it at once."""


class Gate:
    """Who may stay. Counts connections of one process; decides without a clock, by the order of silence."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._addresses: dict[Held, str] = {}
        self._counts: Counter[str] = Counter()
        self._waiting: OrderedDict[Held, None] = OrderedDict()
        """Those that have not sent a whole request, longest silence first."""

    def __len__(self) -> int:
        return len(self._addresses)

    def enter(self, held: Held, address: str | None) -> bool:
        """Take a connection in, if need be in the place of one that waits; False when nobody yields."""
        subject = self._subject(address)
        if subject and self._counts[subject] >= self.limits.per_address and not self._make_room(subject):
            return False
        if len(self) >= self.limits.total and not self._make_room(None):
            return False
        self._addresses[held] = subject
        self._counts[subject] += 1
        self._waiting[held] = None
        return True

    def waits(self, held: Held) -> None:
        """It has to send a request before it counts for more than others."""
        if held in self._addresses:
            self._waiting[held] = None
            self._waiting.move_to_end(held)

    def works(self, held: Held) -> None:
        """It has sent a whole request: its place is its own."""
        self._waiting.pop(held, None)

    def leave(self, held: Held) -> None:
        """It has ended; safe to repeat."""
        self._waiting.pop(held, None)
        subject = self._addresses.pop(held, None)
        if subject is not None:
            self._counts[subject] -= 1
            if not self._counts[subject]:
                del self._counts[subject]

    def _make_room(self, subject: str | None) -> bool:
        yielding = (held for held in self._waiting if subject is None or self._addresses[held] == subject)
        held = next(yielding, None)
        if held is None:
            return False
        self.leave(held)
        held.give_up()
        return True

    def _subject(self, address: str | None) -> str:
        """Whom a connection counts for; empty for addresses that stand for many."""
        try:
            parsed = ipaddress.ip_address(address or "")
        except ValueError:
            return ""
        if parsed.is_loopback or any(parsed in network for network in self.limits.shared):
            return ""
        return network_of(address)


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol behind a gate, with a time limit and a size for headers."""

    def __init__(self, gate: Gate, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._gate = gate
        self._deadline: asyncio.TimerHandle | None = None
        self._header_bytes = 0
        self._wants = True
        """It owes us a header."""
        self._in_body = False

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        super().connection_made(transport)
        if not self._gate.enter(self, self.client[0] if self.client else None):
            log.warning("connection_refused", held=len(self._gate))
            transport.write(_BUSY)
            transport.close()
            return
        self._owe()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._paid()
        self._gate.leave(self)
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        if not self._wants or self.transport.is_closing():
            return
        self._owe()
        if not self._in_body:
            self._header_bytes += len(data)
        if self._header_bytes > _MOST_HEADER_BYTES:
            self.transport.write(_TOO_LONG)
            self.transport.close()

    @override
    def on_headers_complete(self) -> None:
        self._paid()
        self._in_body = True
        super().on_headers_complete()

    @override
    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_body = False
        if not self.cycle.response_complete:
            self._gate.works(self)

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.cycle.response_complete:
            return  # the next of several requests is answered now
        self._wants = True
        self._header_bytes = 0
        self._gate.waits(self)
        if self._in_body:  # answered before its body came: who never sends it must not stay
            self._owe()

    def give_up(self) -> None:
        """End the connection: somebody else needs its place, or it took too long."""
        self._paid()
        if self.transport.get_write_buffer_size():  # an answer that nobody reads would be waited for
            self.transport.abort()
        else:
            self.transport.close()

    def _owe(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self._gate.limits.header_seconds, self.give_up)

    def _paid(self) -> None:
        self._wants = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def bounded_protocol(limits: ConnectionLimits) -> Any:
    """For `uvicorn.Config(http=...)`: connections of one server behind one gate."""
    return partial(BoundedProtocol, Gate(limits))
