"""SQL of the router's own sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.tables.telegram import ChatNotice, RouterReply


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """A sentence to be said."""

    id: int
    chat_id: int
    text: str
    attempts: int


async def claim(session: AsyncSession, bot: str, *, limit: int, lease: timedelta) -> Sequence[Reply]:
    """Take sentences whose time has come; a process that dies with them lets others try again after the lease."""
    due = select(RouterReply.id).where(
        RouterReply.bot == bot, RouterReply.finished_at.is_(None), RouterReply.next_try_at <= func.now()
    )
    # A common table expression: as a plain subquery it might be run once per row, and lock more than the limit.
    taken = due.order_by(RouterReply.id).limit(limit).with_for_update(skip_locked=True).cte("taken")
    statement = update(RouterReply).where(RouterReply.id == taken.c.id)
    statement = statement.values(next_try_at=func.now() + lease, attempts=RouterReply.attempts + 1)
    columns = (RouterReply.id, RouterReply.chat_id, RouterReply.text, RouterReply.attempts)
    rows = (await session.execute(statement.returning(*columns))).all()
    return sorted((Reply(**row._mapping) for row in rows), key=lambda reply: reply.id)  # noqa: SLF001 - SQLAlchemy's public name


async def finish(session: AsyncSession, reply_id: int, outcome: str) -> None:
    """Said, or given up."""
    values = {"finished_at": func.now(), "outcome": outcome}
    await session.execute(update(RouterReply).where(RouterReply.id == reply_id).values(**values))


async def postpone(session: AsyncSession, reply_id: int, delay: timedelta) -> None:
    """Try again later."""
    statement = update(RouterReply).where(RouterReply.id == reply_id)
    await session.execute(statement.values(next_try_at=func.now() + delay))


async def prune(session: AsyncSession, *, created_before: datetime, limit: int) -> int:
    """Remove sentences that were said or given up."""
    old = select(RouterReply.id).where(RouterReply.finished_at.is_not(None), RouterReply.created_at < created_before)
    result: Any = await session.execute(delete(RouterReply).where(RouterReply.id.in_(old.limit(limit))))
    stale = select(ChatNotice.chat_id).where(ChatNotice.said_at < created_before).limit(limit)
    await session.execute(delete(ChatNotice).where(ChatNotice.said_at < created_before, ChatNotice.chat_id.in_(stale)))
    return max(int(result.rowcount), 0)
