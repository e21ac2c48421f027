"""Bringing updates to cells that set a webhook: in order per cell, one at a time, again and again until accepted.

One process pushes to a cell at a time (a lease on its row). After `kill -9` between the cell's acceptance and our note
of it, the update is pushed again with the same number, by which OpenClaw recognises it.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import uuid
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

import aiohttp
from sqlalchemy.exc import SQLAlchemyError

from clawstack.errors import ClawstackError
from clawstack.logs import get_logger
from services.kit.database.connection import Database
from services.kit.vault.service import Vault
from services.traffic.telegram.metrics import RouterMetrics
from services.traffic.telegram.model.errors import BotApiError
from services.traffic.telegram.model.routing import UpdateOutcome
from services.traffic.telegram.model.schemas import SECRET_HEADER, Timings
from services.traffic.telegram.model.topics import Topic
from services.traffic.telegram.repository import bots, updates
from services.traffic.telegram.repository.updates import Waiting
from services.traffic.telegram.virtual.local import SECRET_NAME
from services.traffic.telegram.virtual.polls import wanted_kinds
from services.traffic.telegram.virtual.targets import judge_target
from services.traffic.telegram.wakeups import Wakeups

log = get_logger(__name__)

_MOST_AT_ONCE: Final = 64
_BATCH: Final = 20
_ACCEPTED: Final = range(200, 300)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Delivery:
    url: str
    secret: str | None
    waiting: list[Waiting]
    failures: int


class Pusher:
    """Pushes for all cells whose webhook is due."""

    def __init__(
        self,
        *,
        database: Database,
        vault: Vault,
        wakeups: Wakeups,
        metrics: RouterMetrics,
        timings: Timings,
        platform_ports: frozenset[int],
    ) -> None:
        """`platform_ports`: loopback ports that are never called, even if a webhook of theirs was once accepted."""
        self._database = database
        self._vault = vault
        self._wakeups = wakeups
        self._metrics = metrics
        self._timings = timings
        self._platform_ports = platform_ports
        self._name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._active: dict[uuid.UUID, asyncio.Task[None]] = {}
        self._called = asyncio.Event()

    async def run(self) -> None:
        """Push for ever."""
        timeout = aiohttp.ClientTimeout(total=self._timings.push_timeout.total_seconds())
        connector = aiohttp.TCPConnector(limit=_MOST_AT_ONCE, force_close=True)
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=jar) as session:
            try:
                with self._wakeups.on_all(Topic.UPDATE, lambda _: self._called.set()):
                    await self._watch(session)
            finally:
                await self._stop()

    async def _watch(self, client: aiohttp.ClientSession) -> None:
        while True:
            self._called.clear()
            try:
                await self._start_due(client)
            except ClawstackError as error:
                log.warning("telegram_push_delayed", problem=error.message)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timings.first_retry.total_seconds()):
                    await self._called.wait()

    async def _start_due(self, client: aiohttp.ClientSession) -> None:
        room = _MOST_AT_ONCE - len(self._active)
        if room <= 0:
            return
        async with self._database.transaction() as session:
            due = await bots.bots_to_push(session, limit=room, besides=tuple(self._active))
        for tenant_id in due:
            task = asyncio.create_task(self._push_all(client, tenant_id), name="telegram-push")
            self._active[tenant_id] = task
            task.add_done_callback(partial(self._ended, tenant_id))

    def _ended(self, tenant_id: uuid.UUID, _: object) -> None:
        self._active.pop(tenant_id, None)
        self._called.set()

    async def _stop(self) -> None:
        tasks = list(self._active.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _push_all(self, client: aiohttp.ClientSession, tenant_id: uuid.UUID) -> None:
        try:
            while (delivery := await self._claim(tenant_id)) is not None:
                for item in delivery.waiting:
                    problem = await self._push(client, delivery, item)
                    if problem is not None:
                        await self._give_up_for_now(tenant_id, delivery, problem)
                        return
                    if not await self._note_delivered(tenant_id, item):
                        return
        except (ClawstackError, SQLAlchemyError) as error:
            log.warning("telegram_push_failed", problem=type(error).__name__)

    async def _claim(self, tenant_id: uuid.UUID) -> _Delivery | None:
        """The cell's next updates, with the lease on it; None when there is nothing to do or another process does it."""
        async with self._database.transaction() as session:
            if not await bots.claim_push(session, tenant_id, self._name, self._timings.push_lease):
                return None
            bot = await bots.virtual_bot(session, tenant_id)
            cell = await bots.address_of(session, tenant_id)
            waiting: list[Waiting] = []
            if bot is not None and bot.webhook_url is not None:
                await updates.finish_other_kinds(session, tenant_id, wanted_kinds(bot.allowed_updates))
                waiting = await updates.waiting(session, tenant_id, limit=_BATCH)
            if bot is None or bot.webhook_url is None or cell is None or not waiting:
                await bots.end_push(session, tenant_id, self._name)
                return None
            await bots.note_served(session, tenant_id, waiting[-1].sequence)
            secret = await self._vault.get(session, tenant_id, SECRET_NAME)
            try:
                url = judge_target(bot.webhook_url, cell, platform_ports=self._platform_ports).url
            except BotApiError as error:  # the cell has moved since it set its webhook
                after = self._timings.longest_retry
                await bots.end_push(session, tenant_id, self._name, error=error.message, after=after)
                return None
            return _Delivery(url=url, secret=secret, waiting=waiting, failures=bot.push_failures)

    async def _push(self, client: aiohttp.ClientSession, delivery: _Delivery, item: Waiting) -> str | None:
        """None when the cell has taken the update, else what was wrong."""
        headers = {"Content-Type": "application/json"}
        if delivery.secret is not None:
            headers[SECRET_HEADER] = delivery.secret
        body = json.dumps(item.for_cell()).encode()
        try:
            async with client.post(delivery.url, data=body, headers=headers, allow_redirects=False) as response:
                if response.status in _ACCEPTED:  # a redirect is no acceptance, and is not followed
                    return None
                return f"Wrong response from the webhook: {response.status}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return f"Connection failed: {type(error).__name__}"

    async def _note_delivered(self, tenant_id: uuid.UUID, item: Waiting) -> bool:
        """Note it and renew the lease; False when the lease is another's by now."""
        async with self._database.transaction() as session:
            await updates.finish_up_to(session, tenant_id, item.sequence, UpdateOutcome.DELIVERED)
            self._metrics.delivered.labels("push").inc()
            return await bots.claim_push(session, tenant_id, self._name, self._timings.push_lease)

    async def _give_up_for_now(self, tenant_id: uuid.UUID, delivery: _Delivery, problem: str) -> None:
        self._metrics.delivered.labels("push_failed").inc()
        after = self._timings.backoff().span(delivery.failures + 1)
        async with self._database.transaction() as session:
            await bots.end_push(session, tenant_id, self._name, error=problem, after=after)
