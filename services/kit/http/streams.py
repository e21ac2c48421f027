"""Streams of server-sent events that are counted: each holds a connection and a reader for as long as somebody listens.

Counted per process, because it is the process's connections and memory that a stream takes, and they end with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from clawstack.errors import LimitExceededError
from services.kit.http.errors import response_of

STREAMS_EACH: Final = 20
"""A person with a tab per assistant, or a dashboard; a program that wants more follows a tenant, not its operations."""
STREAMS_TOGETHER: Final = 500
"""An eighth of the connections that a process holds."""
_RETRY_SECONDS: Final = 5.0
_UNREAD_SECONDS: Final = 30.0
"""Whoever reads nothing for so long has gone, or wants our memory."""


class StreamSlots:
    """How many streams there are, of each listener and together."""

    def __init__(self, *, each: int = STREAMS_EACH, together: int = STREAMS_TOGETHER) -> None:
        self._each = each
        self._together = together
        self._counts: Counter[str] = Counter()

    @contextmanager
    def counted(self, listener: str) -> Iterator[None]:
        """Count one stream while the block runs; raises LimitExceededError when there are too many."""
        if self._counts[listener] >= self._each:
            raise _too_many(f"This token has {self._each} streams open, which is as many as one may have.")
        if self._counts.total() >= self._together:
            raise _too_many("All places for streams are taken.")
        self._counts[listener] += 1
        try:
            yield
        finally:
            self._counts[listener] -= 1
            self._counts += Counter()  # forgets those at zero

    def total(self) -> int:
        """Streams open now."""
        return self._counts.total()


class CountedStream(EventSourceResponse):
    """A stream for one listener, or 429 in its place. Counted here, so that what never begins holds no slot."""

    def __init__(self, events: AsyncIterator[ServerSentEvent], *, slots: StreamSlots, listener: str) -> None:
        super().__init__(events, send_timeout=_UNREAD_SECONDS)
        self._slots = slots
        self._listener = listener

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        try:
            with self._slots.counted(self._listener):
                await super().__call__(scope, receive, send)
        except LimitExceededError as error:
            await response_of(error)(scope, receive, send)


def _too_many(message: str) -> LimitExceededError:
    remedy = "Close one, or ask for application/json instead."
    return LimitExceededError(message, code="too_many_streams", retry_after=_RETRY_SECONDS, remedy=remedy)
