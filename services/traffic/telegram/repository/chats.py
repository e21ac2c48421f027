"""SQL of chats: whose they are, the codes that bind them, and what the router said in them."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from clawstack.vocabulary import ANSWERING, GONE, PAUSED, Desired
from services.kit.database.base import utcnow
from services.tables.telegram import ChatBinding, ChatNotice, LinkCode, RouterReply, SeenObject
from services.tables.tenants import Tenant
from services.traffic.telegram.model.routing import KnownCode, Notice, Owner
from services.traffic.telegram.model.texts import Standing
from services.traffic.telegram.model.topics import Topic
from services.traffic.telegram.repository.signals import wake

_OWNER: Final = (Tenant.id, Tenant.customer_id, Tenant.state, Tenant.desired_state)
_MOST_REPLIES: Final = 20
_REPLY_WINDOW: Final = timedelta(hours=1)


async def owner_of_chat(session: AsyncSession, bot: str, chat_id: int) -> Owner | None:
    """The tenant that the chat belongs to."""
    query = select(*_OWNER).join(ChatBinding, ChatBinding.tenant_id == Tenant.id)
    row = (await session.execute(query.where(ChatBinding.bot == bot, ChatBinding.chat_id == chat_id))).one_or_none()
    return None if row is None else _owner(row)


async def owner_of_poll(session: AsyncSession, poll_id: str) -> Owner | None:
    """The tenant whose cell sent the poll."""
    query = select(*_OWNER).join(SeenObject, SeenObject.tenant_id == Tenant.id)
    query = query.where(SeenObject.kind == "poll", SeenObject.object_id == poll_id).limit(1)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else _owner(row)


async def chats_of(session: AsyncSession, bot: str, tenant_id: uuid.UUID, among: Collection[int]) -> frozenset[int]:
    """Those of these chats that belong to the tenant."""
    query = select(ChatBinding.chat_id).where(
        ChatBinding.bot == bot, ChatBinding.tenant_id == tenant_id, ChatBinding.chat_id.in_(among)
    )
    return frozenset((await session.scalars(query)).all())


async def bind(session: AsyncSession, bot: str, chat_id: int, tenant_id: uuid.UUID) -> None:
    """Give the chat to the tenant, whoever had it."""
    statement = insert(ChatBinding).values(bot=bot, chat_id=chat_id, tenant_id=tenant_id)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[ChatBinding.bot, ChatBinding.chat_id],
            set_={"tenant_id": tenant_id, "bound_at": func.now()},
        )
    )


async def bind_if_free(session: AsyncSession, bot: str, chat_id: int, tenant_id: uuid.UUID) -> None:
    """Give the chat to the tenant unless somebody has it."""
    await session.execute(
        insert(ChatBinding).values(bot=bot, chat_id=chat_id, tenant_id=tenant_id).on_conflict_do_nothing()
    )


async def release(session: AsyncSession, bot: str, chat_id: int) -> None:
    """Nobody's chat from now on."""
    await session.execute(delete(ChatBinding).where(ChatBinding.bot == bot, ChatBinding.chat_id == chat_id))


async def release_all(session: AsyncSession, tenant_id: uuid.UUID) -> Sequence[tuple[str, int]]:
    """Unbind all chats of a tenant; returns (bot, chat) of each."""
    statement = delete(ChatBinding).where(ChatBinding.tenant_id == tenant_id)
    rows = (await session.execute(statement.returning(ChatBinding.bot, ChatBinding.chat_id))).all()
    return [(row.bot, row.chat_id) for row in rows]


async def find_code(session: AsyncSession, code: str) -> KnownCode | None:
    """A link code, locked against a second use until the transaction ends."""
    query = select(LinkCode.expires_at, LinkCode.used_at, LinkCode.used_by_chat, *_OWNER)
    query = query.join(Tenant, Tenant.id == LinkCode.tenant_id).where(LinkCode.code == code)
    row = (await session.execute(query.with_for_update(of=LinkCode))).one_or_none()
    if row is None:
        return None
    return KnownCode(
        owner=_owner(row), expires_at=row.expires_at, used_by_chat=row.used_by_chat, is_used=row.used_at is not None
    )


async def use_code(session: AsyncSession, code: str, chat_id: int) -> None:
    """The code has done its work."""
    values = {"used_at": func.now(), "used_by_chat": chat_id}
    await session.execute(update(LinkCode).where(LinkCode.code == code).values(**values))


async def unused_code(session: AsyncSession, tenant_id: uuid.UUID, *, good_until: datetime) -> LinkCode | None:
    """A code of the tenant that is good at least until then."""
    query = select(LinkCode).where(
        LinkCode.tenant_id == tenant_id, LinkCode.used_at.is_(None), LinkCode.expires_at >= good_until
    )
    return (await session.scalars(query.order_by(LinkCode.expires_at.desc()).limit(1))).one_or_none()


async def add_code(session: AsyncSession, row: LinkCode) -> None:
    """Store a new code."""
    session.add(row)
    await session.flush()


async def withdraw_codes(session: AsyncSession, tenant_id: uuid.UUID) -> None:
    """No code of the tenant binds anything any more."""
    now = func.now()
    statement = update(LinkCode).where(LinkCode.tenant_id == tenant_id, LinkCode.used_at.is_(None))
    await session.execute(statement.values(expires_at=func.least(LinkCode.expires_at, now)))


async def say(session: AsyncSession, bot: str, chat_id: int, notice: Notice) -> bool:
    """Queue a sentence for the chat unless it would be one too many; True when it will be said."""
    if not await _may_say(session, bot, chat_id, notice) or await _is_flooded(session, bot, chat_id):
        return False
    session.add(RouterReply(bot=bot, chat_id=chat_id, text=notice.text))
    await session.flush()
    await wake(session, Topic.REPLY, bot)
    return True


async def _may_say(session: AsyncSession, bot: str, chat_id: int, notice: Notice) -> bool:
    statement = insert(ChatNotice).values(bot=bot, chat_id=chat_id, notice=notice.kind.value)
    long_ago = None
    if notice.not_again_within is not None:
        long_ago = ChatNotice.said_at < utcnow() - notice.not_again_within
    keys = [ChatNotice.bot, ChatNotice.chat_id, ChatNotice.notice]
    statement = statement.on_conflict_do_update(index_elements=keys, set_={"said_at": func.now()}, where=long_ago)
    return (await session.scalars(statement.returning(ChatNotice.chat_id))).one_or_none() is not None


async def _is_flooded(session: AsyncSession, bot: str, chat_id: int) -> bool:
    query = select(func.count()).select_from(RouterReply)
    query = query.where(
        RouterReply.bot == bot, RouterReply.chat_id == chat_id, RouterReply.created_at > utcnow() - _REPLY_WINDOW
    )
    return (await session.scalars(query)).one() >= _MOST_REPLIES


def _owner(row: Any) -> Owner:
    return Owner(tenant_id=row.id, customer_id=row.customer_id, standing=_standing(row.state, row.desired_state))


def _standing(state: str, desired_state: str) -> Standing:
    if desired_state == Desired.ABSENT or state in GONE:
        return Standing.GONE
    if desired_state == Desired.SUSPENDED or state in PAUSED:
        return Standing.PAUSED
    return Standing.READY if state in ANSWERING else Standing.PREPARING
