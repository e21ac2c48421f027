"""One look per process at everything that somebody follows, however many listen.

A call says only "look again"; the rows are the truth. Whoever was not called looks by itself now and then.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Final

from clawstack.errors import TemporaryError
from clawstack.logs import get_logger
from services.business.tenants import operations
from services.kit.database.connection import Database

log = get_logger(__name__)

#: A person cannot see the difference to a push.
_LOOK_SECONDS: Final = 0.3
_BY_ITSELF_SECONDS: Final = 15.0


class EventWatch:
    """Wakes those who follow an operation or a tenant when there is something new to read. One query a turn, for all."""

    def __init__(self, database: Database, *, seconds: float = _LOOK_SECONDS) -> None:
        """`seconds` between two looks."""
        self.database = database
        self._seconds = seconds
        self._followers: dict[uuid.UUID, set[asyncio.Event]] = defaultdict(set)
        self._seen: dict[uuid.UUID, Hashable] = {}
        self._looking: asyncio.Task[None] | None = None

    @contextmanager
    def following(self, subject: uuid.UUID) -> Iterator[News]:
        """While the context lasts: what tells of news about an operation or a tenant, by its id."""
        news = asyncio.Event()
        self._followers[subject].add(news)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_forever(), name="operation-events")
        try:
            yield News(news)
        finally:
            self._followers[subject].discard(news)
            if not self._followers[subject]:
                del self._followers[subject]
                self._seen.pop(subject, None)
            if not self._followers and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def look(self) -> None:
        """One turn; raises TemporaryError without a database."""
        async with self.database.transaction() as session:
            marks = await operations.marks(session, tuple(self._followers))
        for subject, followers in self._followers.items():
            mark = marks.get(subject)
            if subject not in self._seen or self._seen[subject] != mark:
                self._seen[subject] = mark
                for news in followers:
                    news.set()

    async def _look_forever(self) -> None:
        while True:
            try:
                await self.look()
            except TemporaryError:
                pass  # those who follow look by themselves, and are told the same
            except Exception:  # one bad turn must not leave all of them without news
                log.exception("operation_events_not_watched")
            await asyncio.sleep(self._seconds)


class News:
    """What one follower waits for."""

    def __init__(self, news: asyncio.Event) -> None:
        self._news = news

    def expect(self) -> None:
        """From here on; call it before reading, so that nothing falls in between."""
        self._news.clear()

    async def come(self) -> None:
        """Returns when there may be something new, after 15 seconds at the latest."""
        try:
            async with asyncio.timeout(_BY_ITSELF_SECONDS):
                await self._news.wait()
        except TimeoutError:
            return
