"""SQL of cells: what the platform gave them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.tables.tenants import Cell


async def cell_of(session: AsyncSession, tenant_id: uuid.UUID) -> Cell | None:
    """The tenant's cell, None when it was given nothing or its stack is destroyed."""
    return await session.get(Cell, tenant_id, populate_existing=True)


async def taken_ports(session: AsyncSession) -> set[int]:
    """Ports that belong to a cell, whether it runs or not."""
    return set(await session.scalars(select(Cell.port)))


async def add(session: AsyncSession, values: Mapping[str, Any]) -> Cell | None:
    """A cell; None when another has its port, account or stack."""
    statement = insert(Cell).values(**values).on_conflict_do_nothing().returning(Cell)
    return (await session.scalars(statement)).one_or_none()


async def give_port(session: AsyncSession, tenant_id: uuid.UUID, port: int) -> bool:
    """The cell has this port from now on; False when another cell has it."""
    theirs = select(Cell.tenant_id).where(Cell.port == port)
    if (await session.execute(theirs)).first() is not None:
        return False
    await session.execute(update(Cell).where(Cell.tenant_id == tenant_id).values(port=port))
    return True


async def remove(session: AsyncSession, tenant_id: uuid.UUID) -> None:
    """The cell is gone; its port and account may be given to another."""
    await session.execute(delete(Cell).where(Cell.tenant_id == tenant_id))
