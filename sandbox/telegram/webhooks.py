"""Pushes updates to webhooks: in order per chat, several chats at once, again and again until taken."""

import asyncio
import contextlib
import json
from typing import Any, Protocol

import aiohttp

from sandbox.frame.background import cancelled
from sandbox.telegram.model.bots import Bot, Webhook
from sandbox.telegram.model.errors import BotApiError
from sandbox.telegram.model.params import Params
from sandbox.telegram.model.updates import Update
from sandbox.telegram.model.world import World

_TAKEN = range(200, 300)


class Runner(Protocol):
    """Runs a Bot API method; a webhook may answer with one."""

    async def run(self, bot: Bot, method: str, params: Params) -> dict[str, Any]:
        """Run the method and return the whole answer. Raises BotApiError."""
        ...


class WebhookSender:
    """One background task per bot, from start() to stop()."""

    def __init__(self, world: World, runner: Runner) -> None:
        self._world = world
        self._runner = runner
        self._tasks: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None

    def start(self) -> None:
        """Begin to push."""
        timeout = aiohttp.ClientTimeout(total=self._world.config.webhook_timeout)
        self._session = aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(ssl=False, limit=0))
        for bot in self._world.bots.values():
            self._tasks.append(asyncio.create_task(_BotPusher(bot, self._world, self._runner, self._session).run()))

    async def stop(self) -> None:
        """End all pushes; what was not taken stays pending."""
        await cancelled(self._tasks)
        if self._session is not None:
            await self._session.close()


class _BotPusher:
    def __init__(self, bot: Bot, world: World, runner: Runner, session: aiohttp.ClientSession) -> None:
        self._bot = bot
        self._world = world
        self._runner = runner
        self._session = session
        self._busy: dict[int, asyncio.Task[None]] = {}  # one push per chat keeps the chat's order

    async def run(self) -> None:
        try:
            while not self._bot.updates.changes.closed:
                await self._bot.updates.changes.until(self._next, 3600.0)
                while (update := self._next()) is not None:
                    self._busy[update.chat] = asyncio.create_task(self._push_until_taken(update))
        finally:
            for task in self._busy.values():
                task.cancel()

    def _next(self) -> Update | None:
        hook = self._bot.webhook
        if hook is None or len(self._busy) >= hook.max_connections:
            return None
        return next((update for update in self._bot.updates.pending() if update.chat not in self._busy), None)

    async def _push_until_taken(self, update: Update) -> None:
        pause = self._world.config.first_retry
        try:
            while (hook := self._bot.webhook) is not None and update in self._bot.updates.pending():
                if await self._push(hook, update):
                    self._bot.updates.remove(update.id)
                    return
                await self._wait_unless_changed(hook, pause)
                pause = min(pause * 2, self._world.config.longest_retry)
        finally:
            self._busy.pop(update.chat, None)
            self._bot.updates.changes.announce()

    async def _wait_unless_changed(self, hook: Webhook, seconds: float) -> None:
        """A webhook that was set anew is tried at once."""
        await self._bot.updates.changes.until(lambda: self._bot.webhook is not hook or None, seconds)

    async def _push(self, hook: Webhook, update: Update) -> bool:
        headers = {"X-Telegram-Bot-Api-Secret-Token": hook.secret_token} if hook.secret_token else {}
        try:
            async with self._session.post(hook.url, json=update.wire(), headers=headers) as response:
                body = await response.read()
                if response.status in _TAKEN:
                    await self._run_answer(body)
                    return True
                problem = f"Wrong response from the webhook: {response.status} {response.reason}"
        except TimeoutError:
            problem = "Read timeout expired"
        except aiohttp.ClientConnectorError:
            problem = "Connection refused"
        except aiohttp.ClientError:
            problem = "Connection reset by peer"
        hook.last_error, hook.last_error_at = problem, int(self._world.config.now())
        return False

    async def _run_answer(self, body: bytes) -> None:
        """A webhook may answer with a method to run. Source: core.telegram.org/bots/api#making-requests-when-..."""
        with contextlib.suppress(ValueError, BotApiError):  # its result is told to nobody, nor is a refusal
            answer = json.loads(body)
            if isinstance(answer, dict) and isinstance(method := answer.pop("method", None), str):
                await self._runner.run(self._bot, method, Params(answer))
