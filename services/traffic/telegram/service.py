"""Receiving: an update is stored, routed and numbered in one transaction, or not at all."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.database.base import utcnow
from services.kit.database.connection import Database
from services.traffic.telegram.model.routing import Decision, Owner, UpdateOutcome, decide, decide_start
from services.traffic.telegram.model.schemas import SeenKind
from services.traffic.telegram.model.topics import Topic
from services.traffic.telegram.model.updates import Incoming
from services.traffic.telegram.repository import chats, seen, signals, updates


class Receiver:
    """Takes updates of the shared bot. When `receive` returns, the update is safe; Telegram may forget it."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def receive(self, bot: str, update: Incoming) -> str:
        """Store and route an update; returns what became of it (`waiting`, `duplicate` or an outcome).

        Raises TemporaryError when the database does not answer: nothing is stored then.
        """
        async with self._database.transaction() as session:
            row_id = await updates.insert_once(session, bot, update)
            if row_id is None:
                return "duplicate"
            decision = await self._decide(session, bot, update)
            await self._apply(session, bot, row_id, update, decision)
            return decision.outcome.value if decision.outcome is not None else "waiting"

    async def _decide(self, session: AsyncSession, bot: str, update: Incoming) -> Decision:
        if update.chat_id is None:
            owner = await chats.owner_of_poll(session, update.poll_id) if update.poll_id else None
            return decide(update, owner)
        if update.code is not None and not update.from_bot:
            await updates.lock_chat(session, bot, update.chat_id)
            owner = await chats.owner_of_chat(session, bot, update.chat_id)
            code = await chats.find_code(session, update.code)
            return decide_start(update, owner, code, now=utcnow())
        return decide(update, await self._owner(session, bot, update, update.chat_id))

    async def _owner(self, session: AsyncSession, bot: str, update: Incoming, chat_id: int) -> Owner | None:
        owner = await chats.owner_of_chat(session, bot, chat_id)
        if owner is None and update.moved_from is not None:
            owner = await chats.owner_of_chat(session, bot, update.moved_from)
            if owner is not None:
                await chats.bind_if_free(session, bot, chat_id, owner.tenant_id)
        if owner is not None and update.moved_to is not None:
            await chats.bind_if_free(session, bot, update.moved_to, owner.tenant_id)
        return owner

    async def _apply(self, session: AsyncSession, bot: str, row_id: int, update: Incoming, decision: Decision) -> None:
        if update.chat_id is not None:
            if decision.use_code and update.code is not None:
                await chats.use_code(session, update.code, update.chat_id)
            if decision.bind_to is not None:
                await chats.bind(session, bot, update.chat_id, decision.bind_to)
            if decision.release:
                await chats.release(session, bot, update.chat_id)
            if decision.notice is not None:
                await chats.say(session, bot, update.chat_id, decision.notice)
        if decision.deliver_to is None:
            await updates.finish(session, row_id, decision.outcome or UpdateOutcome.UNSUPPORTED)
            return
        tenant_id = decision.deliver_to
        await seen.note(session, tenant_id, SeenKind.FILE, update.files)
        if update.callback_id is not None:
            await seen.note(session, tenant_id, SeenKind.CALLBACK, [update.callback_id])
        await updates.give_to(session, row_id, tenant_id)
        await signals.wake(session, Topic.UPDATE, str(tenant_id))
