"""Getting updates of the real bot: one process polls, or registers the webhook; the others stand by.

Who does it holds an advisory lock in PostgreSQL on a connection of its own. The lock ends with the connection, so a
process that is killed is replaced within seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from clawstack.errors import InvalidInputError, TemporaryError
from clawstack.logs import get_logger
from services.traffic.telegram.bot import RealBot
from services.traffic.telegram.identity import BotIdentity
from services.traffic.telegram.metrics import RouterMetrics
from services.traffic.telegram.model.errors import BotApiError, MalformedUpdateError
from services.traffic.telegram.model.schemas import Timings
from services.traffic.telegram.model.updates import WANTED, read_update
from services.traffic.telegram.service import Receiver

log = get_logger(__name__)

_CONFLICT: Final = 409
_TOKEN_REFUSED: Final = frozenset({401, 403, 404})
_MOST_CONNECTIONS: Final = 40
_POLL_MARGIN: Final = 10.0
_TRIES_PER_UPDATE: Final = 3


class Leadership:
    """At most one process per bot and purpose is inside `held`."""

    def __init__(self, *, database_url: str, stand_by: timedelta) -> None:
        """`database_url`: as libpq takes it; `stand_by`: between two tries to get the lock."""
        self._url = database_url
        self._stand_by = stand_by.total_seconds()

    @asynccontextmanager
    async def held(self, name: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Waits for the lock; yields a check that raises psycopg.Error when it was lost."""
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True, connect_timeout=5) as connection:
            query = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
            while not await _one(connection, query, name):  # noqa: ASYNC110 - the lock is another process's
                await asyncio.sleep(self._stand_by)

            async def check() -> None:
                await connection.execute("SELECT 1")

            yield check


class Poller:
    """Long-polls the real bot. Telegram forgets an update only after it is committed here."""

    def __init__(
        self,
        *,
        real_bot: RealBot,
        identity: BotIdentity,
        receiver: Receiver,
        leadership: Leadership,
        metrics: RouterMetrics,
        timings: Timings,
    ) -> None:
        self._real_bot = real_bot
        self._identity = identity
        self._receiver = receiver
        self._leadership = leadership
        self._metrics = metrics
        self._timings = timings

    async def run(self) -> None:
        """Poll for ever, from whichever process holds the lock."""
        bot = await self._identity.named()
        while True:
            try:
                async with self._leadership.held(f"telegram-intake:{bot}") as check:
                    await self._lead(bot, check)
            except (psycopg.Error, OSError) as error:
                self._note("database", error)
                await asyncio.sleep(self._timings.stand_by.total_seconds())

    async def _lead(self, bot: str, check: Callable[[], Awaitable[None]]) -> None:
        offset: int | None = None
        failures, webhook_is_gone = 0, False
        while True:
            await check()
            try:
                if not webhook_is_gone:
                    await self._real_bot.call("deleteWebhook", {"drop_pending_updates": False})
                    webhook_is_gone = True
                offset = await self._poll(bot, offset)
                failures = 0
            except BotApiError as error:
                failures += 1
                self._note(str(error.error_code), error)
                webhook_is_gone = webhook_is_gone and error.error_code != _CONFLICT
                await asyncio.sleep(self._delay_after(error, failures))
            except TemporaryError as error:
                failures += 1
                self._note(error.code, error)
                await asyncio.sleep(self._timings.backoff().seconds(failures))

    async def _poll(self, bot: str, offset: int | None) -> int | None:
        """One poll. The offset that confirms what was stored; None once nothing is left to confirm.

        Without need no offset is sent: Telegram may begin anew with smaller ids after a quiet week.
        """
        seconds = int(self._timings.real_poll.total_seconds())
        wish: dict[str, Any] = {"timeout": seconds, "limit": 100, "allowed_updates": list(WANTED)}
        if offset is not None:
            wish["offset"] = offset
        updates = await self._real_bot.call("getUpdates", wish, seconds=seconds + _POLL_MARGIN)
        following = None
        for item in updates if isinstance(updates, list) else ():
            await self._store(bot, item)
            update_id = item.get("update_id") if isinstance(item, dict) else None
            if isinstance(update_id, int):
                following = max(following or 0, update_id + 1)
        return following

    async def _store(self, bot: str, item: object) -> None:
        """Store one update; one that cannot be stored at all must not hold up those behind it for ever."""
        try:
            update = read_update(item, bot=bot)
        except MalformedUpdateError as error:
            self._note("malformed", error)
            return
        for attempt in range(1, _TRIES_PER_UPDATE + 1):
            try:
                outcome = await self._receiver.receive(bot, update)
            except (SQLAlchemyError, InvalidInputError) as error:
                self._note("not_storable", error)
                if isinstance(error, SQLAlchemyError) and attempt < _TRIES_PER_UPDATE:
                    await asyncio.sleep(self._timings.backoff().seconds(attempt))
                    continue
                # Without the exception: its text holds what a person wrote.
                log.error("telegram_update_lost", update_id=update.update_id, kind=update.kind)  # noqa: TRY400
            else:
                self._metrics.updates.labels(outcome).inc()
            return

    def _delay_after(self, error: BotApiError, failures: int) -> float:
        if error.retry_after is not None:
            return float(error.retry_after)
        if error.error_code == _CONFLICT:
            return self._timings.conflict_pause.total_seconds()
        if error.error_code in _TOKEN_REFUSED:
            return self._timings.longest_retry.total_seconds()
        return self._timings.backoff().seconds(failures)

    def _note(self, reason: str, error: Exception) -> None:
        self._metrics.intake_errors.labels(reason).inc()
        problem = error.message if isinstance(error, BotApiError | TemporaryError) else type(error).__name__
        log.warning("telegram_intake_failed", reason=reason, problem=problem)


class WebhookKeeper:
    """Keeps the real bot's webhook pointed at this platform."""

    def __init__(
        self,
        *,
        real_bot: RealBot,
        identity: BotIdentity,
        leadership: Leadership,
        secret: Callable[[], Awaitable[str]],
        public_url: str,
        timings: Timings,
    ) -> None:
        """`public_url`: root under which Telegram reaches `/webhooks/telegram`."""
        self._real_bot = real_bot
        self._identity = identity
        self._leadership = leadership
        self._secret = secret
        self._public_url = public_url
        self._timings = timings

    async def run(self) -> None:
        """Set the webhook at the start, and again whenever it is found to be another."""
        bot = await self._identity.named()
        url = f"{self._public_url}/webhooks/telegram/{bot}"
        failures, is_set = 0, False
        while True:
            try:
                async with self._leadership.held(f"telegram-intake:{bot}") as check:
                    while True:
                        await check()
                        is_set = await self._ensure(url, trust=is_set)
                        failures = 0
                        await asyncio.sleep(self._timings.webhook_check.total_seconds())
            except (psycopg.Error, OSError, TemporaryError, BotApiError) as error:
                failures += 1
                problem = error.message if isinstance(error, BotApiError | TemporaryError) else type(error).__name__
                log.warning("telegram_webhook_not_set", problem=problem)
                await asyncio.sleep(self._timings.backoff().seconds(failures))

    async def _ensure(self, url: str, *, trust: bool) -> bool:
        """`trust`: this process has set it before, so that an equal URL means an equal secret too."""
        if trust:
            info = await self._real_bot.call("getWebhookInfo", {})
            if isinstance(info, dict) and info.get("url") == url:
                return True
        wish: dict[str, Any] = {"url": url, "secret_token": await self._secret(), "allowed_updates": list(WANTED)}
        wish |= {"drop_pending_updates": False, "max_connections": _MOST_CONNECTIONS}
        await self._real_bot.call("setWebhook", wish)
        log.info("telegram_webhook_set", url=url)
        return True


async def _one(connection: psycopg.AsyncConnection[Any], query: str, value: str) -> bool:
    cursor = await connection.execute(query.encode(), (value,))
    row = await cursor.fetchone()
    return row is not None and bool(row[0])
