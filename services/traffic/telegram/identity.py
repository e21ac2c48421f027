"""Who the shared bot is: its user name (part of links and of the webhook's path) and what `getMe` says of it."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Any, Final

from clawstack.errors import TemporaryError
from clawstack.logs import get_logger
from services.kit.backoff import Backoff
from services.kit.database.connection import Database
from services.traffic.telegram.bot import RealBot
from services.traffic.telegram.model.errors import BotApiError, TelegramUnavailableError
from services.traffic.telegram.repository import bots

log = get_logger(__name__)

_BACKOFF: Final = Backoff(first=0.5, longest=30.0, spread=0.0)


class BotIdentity:
    """The bot's name and description, kept fresh in the background and in the database for other processes."""

    def __init__(self, *, database: Database, real_bot: RealBot, username: str | None, ttl: timedelta) -> None:
        """`username`: as the settings say; None asks Telegram."""
        self._database = database
        self._real_bot = real_bot
        self._name = username
        self._ttl = ttl.total_seconds()
        self._me: dict[str, Any] = {}
        self._known = asyncio.Event()
        if username is not None:
            self._known.set()

    @property
    def name(self) -> str | None:
        """User name of the bot without @; None until it is known."""
        return self._name

    async def named(self) -> str:
        """The user name, once it is known."""
        await self._known.wait()
        return self._name or ""

    async def me(self) -> dict[str, Any]:
        """What `getMe` answers. Raises TelegramUnavailableError when it never could be asked."""
        if not self._me:
            await self._recall()
        if not self._me:
            try:
                await self._ask()
            except BotApiError as error:  # a wrong token is the platform's fault, not the cell's
                raise TelegramUnavailableError(f"Telegram refuses the platform's bot ({error.error_code}).") from error
        return self._me

    async def keep_fresh(self) -> None:
        """Ask again and again, for ever."""
        if not self._real_bot.is_configured:
            return
        failures = 0
        while True:
            try:
                await self._ask()
            except (TemporaryError, BotApiError) as error:
                log.warning("telegram_bot_unreachable", problem=error.message)
                with contextlib.suppress(TemporaryError):
                    await self._recall()
                failures += 1
                await asyncio.sleep(_BACKOFF.seconds(failures))
            else:
                failures = 0
                await asyncio.sleep(self._ttl)

    async def _ask(self) -> None:
        me = await self._real_bot.call("getMe", {}, seconds=15.0)
        if not isinstance(me, dict) or not isinstance(me.get("username"), str):
            raise TemporaryError("Telegram's getMe answered without a user name.")
        if self._name is None:
            self._name = me["username"]
        elif self._name.lower() != me["username"].lower():
            log.error("telegram_bot_name_differs", configured=self._name, telegram=me["username"])
        self._me = me
        self._known.set()
        async with self._database.transaction() as session:
            await bots.save_identity(session, self._name, me)

    async def _recall(self) -> None:
        async with self._database.transaction() as session:
            name = self._name or await bots.latest_shared_bot(session)
            row = await bots.shared_bot(session, name) if name is not None else None
        if row is not None and row.identity:
            self._name = self._name or row.bot
            self._me = row.identity
            self._known.set()
