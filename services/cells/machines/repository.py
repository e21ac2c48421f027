"""SQL of machines."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import CursorResult, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.tables.machines import MachineCell, ServerBoot, ServerLog, ServerOrder

_LOGS_KEPT: Final = 64
"""Pieces per cell, each of at most 128 KiB."""


async def cell(session: AsyncSession, slug: str) -> MachineCell | None:
    """What the cell's machine is to bring about."""
    query = select(MachineCell).where(MachineCell.slug == slug)
    return (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()


async def put_cell(session: AsyncSession, tenant_id: uuid.UUID, slug: str, *, version: str, bundle: bytes) -> None:
    """Store what the machine is to bring about."""
    values = {"tenant_id": tenant_id, "slug": slug, "bundle_version": version, "bundle": bundle}
    fresh = {"bundle_version": version, "bundle": bundle, "updated_at": func.now()}
    statement = insert(MachineCell).values(**values)
    await session.execute(statement.on_conflict_do_update(index_elements=[MachineCell.tenant_id], set_=fresh))


async def set_cell(session: AsyncSession, slug: str, **values: Any) -> None:
    """Change single columns of a cell."""
    await session.execute(update(MachineCell).where(MachineCell.slug == slug).values(**values))


async def boot(session: AsyncSession, key: str) -> ServerBoot | None:
    """A boot by the public half of its tokens."""
    return await session.get(ServerBoot, key, populate_existing=True)


async def add_boot(session: AsyncSession, row: ServerBoot) -> None:
    """Store a new boot."""
    session.add(row)
    await session.flush()


async def boots(session: AsyncSession, slug: str, *, limit: int = 10) -> Sequence[ServerBoot]:
    """A cell's boots, newest first."""
    query = select(ServerBoot).where(ServerBoot.slug == slug).order_by(ServerBoot.created_at.desc(), ServerBoot.key)
    return (await session.scalars(query.limit(limit).execution_options(populate_existing=True))).all()


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """All machines of a cell, in two facts."""

    first_at: datetime | None
    """When the first of them was prepared."""
    used: bool
    """Whether any ever came up, and so may have written on the volume."""


async def history(session: AsyncSession, slug: str) -> History:
    """What there ever was of a cell's machines."""
    query = select(func.min(ServerBoot.created_at), func.count(ServerBoot.used_at)).where(ServerBoot.slug == slug)
    first_at, used = (await session.execute(query)).one()
    return History(first_at=first_at, used=bool(used))


async def use_boot(session: AsyncSession, key: str, *, now: datetime, agent_hash: str, machine: str) -> bool:
    """Exchange a boot token: one statement, so that of any number of callers at once exactly one gets True."""
    statement = (
        update(ServerBoot)
        .where(
            ServerBoot.key == key,
            ServerBoot.used_at.is_(None),
            ServerBoot.closed_at.is_(None),
            ServerBoot.expires_at > now,
        )
        .values(used_at=now, seen_at=now, agent_hash=agent_hash, machine=machine, phase="booting")
    )
    return await _count(session, statement) == 1


async def count_refusal(session: AsyncSession, key: str) -> None:
    """Somebody came with a boot token that was used."""
    statement = update(ServerBoot).where(ServerBoot.key == key).values(refusals=ServerBoot.refusals + 1)
    await session.execute(statement)


async def close_boots(session: AsyncSession, slug: str, *, now: datetime, keep: str | None = None) -> int:
    """End the tokens of a cell's machines, but for `keep`; returns how many were ended."""
    statement = update(ServerBoot).where(ServerBoot.slug == slug, ServerBoot.closed_at.is_(None)).values(closed_at=now)
    return await _count(session, statement if keep is None else statement.where(ServerBoot.key != keep))


async def set_boot(session: AsyncSession, key: str, **values: Any) -> None:
    """Change single columns of a boot."""
    await session.execute(update(ServerBoot).where(ServerBoot.key == key).values(**values))


async def open_orders(session: AsyncSession, key: str) -> Sequence[ServerOrder]:
    """What a machine has still to do, oldest first."""
    query = select(ServerOrder).where(ServerOrder.boot_key == key, ServerOrder.finished_at.is_(None))
    return (await session.scalars(query.order_by(ServerOrder.id))).all()


async def add_order(session: AsyncSession, key: str, kind: str) -> int:
    """Tell a machine to do something; the order that says so already, where there is one."""
    statement = insert(ServerOrder).values(boot_key=key, kind=kind).on_conflict_do_nothing().returning(ServerOrder.id)
    made = (await session.scalars(statement)).one_or_none()
    if made is not None:
        return made
    query = select(ServerOrder.id).where(
        ServerOrder.boot_key == key, ServerOrder.kind == kind, ServerOrder.finished_at.is_(None)
    )
    return (await session.scalars(query)).one()


async def order(session: AsyncSession, number: int) -> ServerOrder | None:
    """An order."""
    return await session.get(ServerOrder, number, populate_existing=True)


async def last_order(session: AsyncSession, key: str, kind: str) -> ServerOrder | None:
    """The newest order of a kind for a machine."""
    query = select(ServerOrder).where(ServerOrder.boot_key == key, ServerOrder.kind == kind)
    return (await session.scalars(query.order_by(ServerOrder.id.desc()).limit(1))).one_or_none()


async def finish_order(session: AsyncSession, number: int, key: str, **values: Any) -> bool:
    """Note how an order of this machine ended; False when there is none open."""
    statement = update(ServerOrder).where(
        ServerOrder.id == number, ServerOrder.boot_key == key, ServerOrder.finished_at.is_(None)
    )
    return await _count(session, statement.values(**values)) == 1


async def add_log(session: AsyncSession, slug: str, text: str) -> None:
    """Keep a piece of log, and no more than the last few."""
    session.add(ServerLog(slug=slug, text=text))
    await session.flush()
    oldest = select(ServerLog.id).where(ServerLog.slug == slug).order_by(ServerLog.id.desc()).offset(_LOGS_KEPT)
    await session.execute(delete(ServerLog).where(ServerLog.id.in_(oldest)))


async def logs(session: AsyncSession, slug: str, *, after: int = 0, limit: int = _LOGS_KEPT) -> Sequence[ServerLog]:
    """The newest pieces of a log, oldest first."""
    query = select(ServerLog).where(ServerLog.slug == slug, ServerLog.id > after)
    return list(reversed((await session.scalars(query.order_by(ServerLog.id.desc()).limit(limit))).all()))


async def forget(session: AsyncSession, slug: str) -> None:
    """Remove everything about a cell's machines."""
    keys = select(ServerBoot.key).where(ServerBoot.slug == slug)
    await session.execute(delete(ServerOrder).where(ServerOrder.boot_key.in_(keys)))
    await session.execute(delete(ServerBoot).where(ServerBoot.slug == slug))
    await session.execute(delete(ServerLog).where(ServerLog.slug == slug))
    await session.execute(delete(MachineCell).where(MachineCell.slug == slug))


async def _count(session: AsyncSession, statement: Any) -> int:
    return cast("CursorResult[Any]", await session.execute(statement)).rowcount
