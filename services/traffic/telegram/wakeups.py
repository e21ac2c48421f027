"""Wake-up calls between processes: one LISTEN connection per process, fanned out in memory.

A call says only "look again"; the rows are the truth. A lost call therefore costs time, never a message: waiters look
by themselves now and then, and all of them look when the connection was lost and is back.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import psycopg

from clawstack.background import background
from clawstack.logs import get_logger
from services.traffic.telegram.model.topics import CHANNEL, Topic

log = get_logger(__name__)

_ALIVE_CHECK_SECONDS: Final = 15.0
_RETRY_SECONDS: Final = 1.0

Handler = Callable[[str], None]


class Wakeups:
    """Listens once per process and calls those who wait for a topic and subject."""

    def __init__(self, *, database_url: str) -> None:
        """`database_url`: as libpq takes it."""
        self._url = database_url
        self._waiting: dict[tuple[Topic, str], set[Handler]] = defaultdict(set)
        self._everybody: dict[Topic, set[Handler]] = defaultdict(set)
        self._listening = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen for as long as the context lasts."""
        async with background(self._listen_forever(), name="telegram-wakeups"):
            yield

    async def ready(self) -> None:
        """Returns once the first connection listens."""
        await self._listening.wait()

    @contextmanager
    def on(self, topic: Topic, subject: str, handler: Handler) -> Iterator[None]:
        """While the context lasts, `handler` is called with the detail of every call about `subject`."""
        self._waiting[topic, subject].add(handler)
        try:
            yield
        finally:
            self._waiting[topic, subject].discard(handler)
            if not self._waiting[topic, subject]:
                del self._waiting[topic, subject]

    @contextmanager
    def on_all(self, topic: Topic, handler: Handler) -> Iterator[None]:
        """While the context lasts, `handler` is called with the subject of every call of a topic ("" for "anything")."""
        self._everybody[topic].add(handler)
        try:
            yield
        finally:
            self._everybody[topic].discard(handler)

    async def _listen_forever(self) -> None:
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError) as error:
                log.warning("telegram_wakeups_lost", error=type(error).__name__)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True, connect_timeout=5) as connection:
            await connection.execute(f"LISTEN {CHANNEL}".encode())
            self._listening.set()
            self._call_everybody()  # what happened while nobody listened
            while True:
                async for notify in connection.notifies(timeout=_ALIVE_CHECK_SECONDS):
                    self._dispatch(notify.payload)
                await connection.execute(b"SELECT 1")

    def _dispatch(self, payload: str) -> None:
        topic, _, rest = payload.partition(" ")
        subject, _, detail = rest.partition(" ")
        try:
            key = Topic(topic)
        except ValueError:
            return  # a newer version of this program speaks
        for handler in tuple(self._waiting.get((key, subject), ())):
            handler(detail)
        for handler in tuple(self._everybody.get(key, ())):
            handler(subject)

    def _call_everybody(self) -> None:
        for (topic, _), handlers in tuple(self._waiting.items()):
            if topic is not Topic.POLL:  # nobody knows of another poll
                for handler in tuple(handlers):
                    handler("")
        for handlers in tuple(self._everybody.values()):
            for handler in tuple(handlers):
                handler("")
