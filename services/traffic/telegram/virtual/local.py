"""Methods that the router answers for the virtual bot itself, without the real one."""

from __future__ import annotations

import re
import uuid
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.database.connection import Database
from services.kit.vault.service import Vault
from services.tables.telegram import VirtualBot
from services.traffic.telegram.model.errors import BotApiError
from services.traffic.telegram.model.routing import UpdateOutcome
from services.traffic.telegram.model.topics import Topic
from services.traffic.telegram.repository import bots, signals, updates
from services.traffic.telegram.virtual.parameters import Call
from services.traffic.telegram.virtual.targets import judge_target

#: Name of the webhook's secret in the tenant's vault.
SECRET_NAME: Final = "telegram_webhook_secret"  # noqa: S105 - a name
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")
_MOST_ALLOWED: Final = 100


class VirtualWebhooks:
    """setWebhook, deleteWebhook and getWebhookInfo of a cell's virtual bot. The real bot's webhook is never touched."""

    def __init__(self, *, database: Database, vault: Vault, platform_ports: frozenset[int]) -> None:
        """`platform_ports`: loopback ports that no cell may have called."""
        self._database = database
        self._vault = vault
        self._platform_ports = platform_ports

    async def set(self, tenant_id: uuid.UUID, call: Call) -> bool:
        """Push updates to the cell from now on. An empty URL is `deleteWebhook`. Raises BotApiError."""
        url, secret = call.text("url"), call.text("secret_token")
        if not url:
            return await self.delete(tenant_id, call)
        if call.files or call.text("certificate"):
            raise BotApiError(400, "Bad Request: certificates are not available to hosted assistants")
        if secret and not _SECRET.fullmatch(secret):
            raise BotApiError(400, "Bad Request: secret token contains unallowed characters")
        allowed = allowed_updates(call)
        async with self._database.transaction() as session:
            values: dict[str, Any] = {"webhook_url": await self._target(session, tenant_id, url)}
            values |= {"push_after": None, "push_failures": 0, "last_error": None, "last_error_at": None}
            if allowed is not None:
                values["allowed_updates"] = allowed
            await bots.change_virtual_bot(session, tenant_id, **values)
            if secret:
                await self._vault.put(session, tenant_id, SECRET_NAME, secret)
            else:
                await self._vault.erase(session, tenant_id, SECRET_NAME)
            await self._drop_if_asked(session, tenant_id, call)
            await signals.wake(session, Topic.UPDATE, str(tenant_id))
        return True

    async def delete(self, tenant_id: uuid.UUID, call: Call) -> bool:
        """Updates wait for getUpdates again."""
        async with self._database.transaction() as session:
            present = await bots.virtual_bot(session, tenant_id)
            if present is not None and present.webhook_url is not None:
                values = {"webhook_url": None, "push_after": None, "push_failures": 0}
                await bots.change_virtual_bot(session, tenant_id, **values)
                await self._vault.erase(session, tenant_id, SECRET_NAME)
            await self._drop_if_asked(session, tenant_id, call)
        return True

    async def info(self, tenant_id: uuid.UUID) -> dict[str, Any]:
        """What getWebhookInfo tells (core.telegram.org/bots/api#webhookinfo)."""
        async with self._database.transaction() as session:
            bot = await bots.virtual_bot(session, tenant_id) or VirtualBot(tenant_id=tenant_id)
            pending = await updates.count_waiting(session, tenant_id)
        info: dict[str, Any] = {"url": bot.webhook_url or "", "has_custom_certificate": False}
        info["pending_update_count"] = pending
        if bot.webhook_url:
            info["max_connections"] = 1  # pushes of one bot go out one after the other
        if bot.last_error_at is not None:
            info |= {"last_error_date": int(bot.last_error_at.timestamp()), "last_error_message": bot.last_error}
        if bot.allowed_updates:
            info["allowed_updates"] = bot.allowed_updates
        return info

    async def _target(self, session: AsyncSession, tenant_id: uuid.UUID, url: str) -> str:
        cell = await bots.address_of(session, tenant_id)
        if cell is None:
            raise BotApiError(401, "Unauthorized")
        target = judge_target(url, cell, platform_ports=self._platform_ports)
        port = target.loopback_port
        if port is not None and await bots.is_port_of_another(session, tenant_id, port):
            raise BotApiError(400, "Bad Request: bad webhook: the address must be this assistant's own")
        return target.url

    @staticmethod
    async def _drop_if_asked(session: AsyncSession, tenant_id: uuid.UUID, call: Call) -> None:
        if call.flag("drop_pending_updates"):
            await updates.finish_all(session, tenant_id, UpdateOutcome.DROPPED)


def allowed_updates(call: Call) -> list[str] | None:
    """The kinds of updates that a cell wants; None when it does not say."""
    kinds = call.strings("allowed_updates")
    if kinds is not None and (len(kinds) > _MOST_ALLOWED or any(len(kind) > _MOST_ALLOWED for kind in kinds)):
        raise BotApiError(400, "Bad Request: too many allowed_updates")
    return kinds
