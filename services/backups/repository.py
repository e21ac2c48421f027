"""SQL of the register of backups."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.backups.tables import Backup


async def add(session: AsyncSession, values: Iterable[dict[str, Any]]) -> int:
    """Note archives that are not noted yet; returns how many were new."""
    rows = list(values)
    if not rows:
        return 0
    statement = insert(Backup).values(rows).on_conflict_do_nothing(index_elements=[Backup.location])
    return len((await session.execute(statement.returning(Backup.id))).all())


async def page(
    session: AsyncSession, tenant_id: uuid.UUID, *, limit: int = 50, offset: int = 0
) -> tuple[list[Backup], int]:
    """A tenant's backups, newest first, and how many there are in all."""
    of_tenant = select(Backup).where(Backup.tenant_id == tenant_id)
    total = (await session.execute(select(func.count()).select_from(of_tenant.subquery()))).scalar_one()
    query = of_tenant.order_by(Backup.created_at.desc(), Backup.id).limit(limit).offset(offset)
    return list(await session.scalars(query)), total


async def latest_verified(session: AsyncSession, tenant_id: uuid.UUID) -> datetime | None:
    """When the youngest backup of a tenant was verified."""
    query = select(func.max(Backup.verified_at)).where(Backup.tenant_id == tenant_id)
    return (await session.execute(query)).scalar_one_or_none()
