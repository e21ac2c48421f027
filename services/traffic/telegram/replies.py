"""The router's own voice: sentences queued by `service` are said by the real bot, once each."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from clawstack.errors import TemporaryError
from clawstack.logs import get_logger
from services.kit.database.connection import Database
from services.traffic.telegram.bot import RealBot
from services.traffic.telegram.identity import BotIdentity
from services.traffic.telegram.metrics import RouterMetrics
from services.traffic.telegram.model.errors import BotApiError
from services.traffic.telegram.model.schemas import Timings
from services.traffic.telegram.model.topics import Topic
from services.traffic.telegram.repository import replies
from services.traffic.telegram.repository.replies import Reply
from services.traffic.telegram.wakeups import Wakeups

log = get_logger(__name__)

_BATCH: Final = 20
_LEASE: Final = timedelta(seconds=60)
_MOST_ATTEMPTS: Final = 20
_TOO_MANY: Final = 429
_PAUSE_SECONDS: Final = 0.04  # Telegram bears about 30 messages a second from one bot; cells need most of them


class Speaker:
    """Says what is queued. A process that is killed between saying and noting it says it again: rare and harmless."""

    def __init__(
        self,
        *,
        database: Database,
        real_bot: RealBot,
        identity: BotIdentity,
        wakeups: Wakeups,
        metrics: RouterMetrics,
        timings: Timings,
    ) -> None:
        self._database = database
        self._real_bot = real_bot
        self._identity = identity
        self._wakeups = wakeups
        self._metrics = metrics
        self._timings = timings

    async def run(self) -> None:
        """Speak for ever."""
        if not self._real_bot.is_configured:
            return
        bot = await self._identity.named()
        called = asyncio.Event()
        with self._wakeups.on_all(Topic.REPLY, lambda _: called.set()):
            while True:
                called.clear()
                try:
                    said = await self._say_some(bot)
                except TemporaryError as error:
                    log.warning("telegram_replies_delayed", problem=error.message)
                    said = 0
                if said == 0:
                    await _wait(called, self._timings.recheck.total_seconds())

    async def _say_some(self, bot: str) -> int:
        async with self._database.transaction() as session:
            batch = await replies.claim(session, bot, limit=_BATCH, lease=_LEASE)
        for reply in batch:
            await self._say(reply)
            await asyncio.sleep(_PAUSE_SECONDS)
        return len(batch)

    async def _say(self, reply: Reply) -> None:
        outcome, delay = "said", None
        try:
            await self._real_bot.call("sendMessage", {"chat_id": reply.chat_id, "text": reply.text})
        except BotApiError as error:
            if error.error_code == _TOO_MANY:
                delay = timedelta(seconds=error.retry_after or 1)
            outcome = f"refused: {error.message}"[:300]  # blocked by the user, chat gone: nothing to be done
        except TemporaryError:
            outcome, delay = "given up", self._timings.backoff().span(reply.attempts)
        async with self._database.transaction() as session:
            if delay is not None and reply.attempts < _MOST_ATTEMPTS:
                await replies.postpone(session, reply.id, delay)
                self._metrics.replies.labels("postponed").inc()
            else:
                await replies.finish(session, reply.id, outcome)
                self._metrics.replies.labels(outcome.partition(":")[0]).inc()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
