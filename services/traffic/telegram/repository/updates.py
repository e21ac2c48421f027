"""SQL of updates: stored once, numbered per tenant, handed out, confirmed, pruned."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.tables.telegram import TelegramUpdate, VirtualBot
from services.traffic.telegram.model.routing import UpdateOutcome
from services.traffic.telegram.model.updates import Incoming

_EMPTY: dict[str, Any] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """An update on its way to a cell."""

    sequence: int
    kind: str
    body: dict[str, Any]

    def for_cell(self) -> dict[str, Any]:
        """The update with the number that the cell knows it by."""
        return {**self.body, "update_id": self.sequence}


async def insert_once(session: AsyncSession, bot: str, incoming: Incoming) -> int | None:
    """Store an update; None when it is known. A twin in another transaction is waited for."""
    values = {
        "bot": bot,
        "update_id": incoming.update_id,
        "kind": incoming.kind,
        "chat_id": incoming.chat_id,
        "body": incoming.body,
    }
    statement = insert(TelegramUpdate).values(**values).on_conflict_do_nothing().returning(TelegramUpdate.id)
    return (await session.scalars(statement)).one_or_none()


async def give_to(session: AsyncSession, row_id: int, tenant_id: uuid.UUID) -> int:
    """Put an update into a tenant's queue and return its number there.

    Numbers rise with the clock, so that they stay ahead of what a cell has confirmed even when this database was
    restored from an older backup. The row lock makes them visible in their order.
    """
    clock = func.floor(func.extract("epoch", func.clock_timestamp()))
    following = func.greatest(VirtualBot.last_sequence + 1, clock)
    draw = insert(VirtualBot).values(tenant_id=tenant_id, last_sequence=clock)
    draw = draw.on_conflict_do_update(index_elements=[VirtualBot.tenant_id], set_={"last_sequence": following})
    sequence = (await session.scalars(draw.returning(VirtualBot.last_sequence))).one()
    values = {"tenant_id": tenant_id, "sequence": sequence}
    await session.execute(update(TelegramUpdate).where(TelegramUpdate.id == row_id).values(**values))
    return int(sequence)


async def finish(session: AsyncSession, row_id: int, outcome: UpdateOutcome) -> None:
    """Note that nothing remains to be done with an update."""
    await session.execute(_finishing(TelegramUpdate.id == row_id, outcome))


async def finish_up_to(session: AsyncSession, tenant_id: uuid.UUID, sequence: int, outcome: UpdateOutcome) -> int:
    """The tenant's waiting updates up to a number are done with; returns how many there were."""
    condition = _waits_for(tenant_id) & (TelegramUpdate.sequence <= sequence)
    return _count(await session.execute(_finishing(condition, outcome)))


async def finish_all(session: AsyncSession, tenant_id: uuid.UUID, outcome: UpdateOutcome) -> int:
    """All of the tenant's waiting updates are done with."""
    return _count(await session.execute(_finishing(_waits_for(tenant_id), outcome)))


async def finish_other_kinds(session: AsyncSession, tenant_id: uuid.UUID, allowed: Collection[str]) -> int:
    """Waiting updates of kinds that the cell does not want are done with."""
    condition = _waits_for(tenant_id) & TelegramUpdate.kind.not_in(allowed)
    return _count(await session.execute(_finishing(condition, UpdateOutcome.NOT_ASKED_FOR)))


async def waiting(session: AsyncSession, tenant_id: uuid.UUID, *, limit: int) -> list[Waiting]:
    """The tenant's oldest waiting updates."""
    query = select(TelegramUpdate.sequence, TelegramUpdate.kind, TelegramUpdate.body)
    query = query.where(_waits_for(tenant_id)).order_by(TelegramUpdate.sequence).limit(limit)
    rows = (await session.execute(query)).all()
    return [Waiting(sequence=row.sequence or 0, kind=row.kind, body=row.body) for row in rows]


async def count_waiting(session: AsyncSession, tenant_id: uuid.UUID) -> int:
    """How many updates wait for the tenant."""
    query = select(func.count()).select_from(TelegramUpdate).where(_waits_for(tenant_id))
    return (await session.scalars(query)).one()


async def waiting_from_end(session: AsyncSession, tenant_id: uuid.UUID, count: int) -> int | None:
    """The number of the `count`-th waiting update from the end; None when fewer wait."""
    query = select(TelegramUpdate.sequence).where(_waits_for(tenant_id))
    query = query.order_by(TelegramUpdate.sequence.desc()).offset(count - 1).limit(1)
    return (await session.scalars(query)).one_or_none()


async def expire(session: AsyncSession, *, received_before: datetime, limit: int) -> int:
    """Give up on updates that waited too long."""
    old = select(TelegramUpdate.id).where(
        TelegramUpdate.delivered_at.is_(None), TelegramUpdate.received_at < received_before
    )
    condition = TelegramUpdate.id.in_(old.order_by(TelegramUpdate.id).limit(limit))
    return _count(await session.execute(_finishing(condition, UpdateOutcome.EXPIRED)))


async def prune(session: AsyncSession, *, received_before: datetime, limit: int) -> int:
    """Remove updates that are done with."""
    old = select(TelegramUpdate.id).where(
        TelegramUpdate.delivered_at.is_not(None), TelegramUpdate.received_at < received_before
    )
    statement = delete(TelegramUpdate).where(TelegramUpdate.id.in_(old.limit(limit)))
    return _count(await session.execute(statement))


async def lock_chat(session: AsyncSession, bot: str, chat_id: int) -> None:
    """Until the transaction ends, nobody else decides whose chat this is."""
    statement = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
    await session.execute(statement, {"name": f"telegram-chat:{bot}:{chat_id}"})


def _waits_for(tenant_id: uuid.UUID) -> ColumnElement[bool]:
    return (TelegramUpdate.tenant_id == tenant_id) & TelegramUpdate.delivered_at.is_(None)


def _finishing(condition: ColumnElement[bool], outcome: UpdateOutcome) -> Any:
    values = {"delivered_at": func.now(), "outcome": outcome.value, "body": _EMPTY}
    return update(TelegramUpdate).where(condition).values(**values).execution_options(synchronize_session=False)


def _count(result: Any) -> int:
    return max(int(result.rowcount), 0)
