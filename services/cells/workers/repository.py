"""SQL of leases. Times are the database's, so that workers' clocks do not matter."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.tables.tenants import CellLease


async def ensure(session: AsyncSession, tenant_id: uuid.UUID) -> None:
    """A row for this cell's lease, held by nobody if it is new."""
    await session.execute(insert(CellLease).values(tenant_id=tenant_id).on_conflict_do_nothing())


async def locked(session: AsyncSession, tenant_id: uuid.UUID) -> CellLease:
    """The row as it is now, which nobody else changes before this transaction ends."""
    query = select(CellLease).where(CellLease.tenant_id == tenant_id).with_for_update()
    return (await session.scalars(query.execution_options(populate_existing=True))).one()


async def now(session: AsyncSession) -> datetime:
    """The time at this moment, not at the transaction's beginning."""
    moment: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return moment


async def prolong(session: AsyncSession, tenant_id: uuid.UUID, *, fence: int, holder: str, ttl: timedelta) -> bool:
    """Let the lease end `ttl` from now; False when it is another's by now."""
    until = func.clock_timestamp() + ttl
    return await write(session, tenant_id, fence=fence, holder=holder, values={"expires_at": until})


async def write(
    session: AsyncSession, tenant_id: uuid.UUID, *, fence: int, holder: str, values: Mapping[str, Any]
) -> bool:
    """Change the lease for its holder; False when it is another's by now."""
    statement = (
        update(CellLease)
        .where(CellLease.tenant_id == tenant_id, CellLease.fence == fence, CellLease.holder == holder)
        .values(**values)
        .returning(CellLease.fence)
    )
    return (await session.execute(statement)).first() is not None


async def free(session: AsyncSession, tenant_id: uuid.UUID, *, fence: int) -> None:
    """Nobody's from now on; a lease that has another fence is left alone."""
    await session.execute(
        update(CellLease)
        .where(CellLease.tenant_id == tenant_id, CellLease.fence == fence)
        .values(holder=None, expires_at=None, process_host=None, process_group=None, process_started=None)
    )
