"""SQL of tenants for those who look at them."""

from __future__ import annotations

import uuid

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.tables.tenants import Tenant


async def by_slug(session: AsyncSession, slug: str) -> Tenant | None:
    """One tenant, deleted ones too."""
    return (await session.scalars(select(Tenant).where(Tenant.slug == slug))).one_or_none()


async def page(
    session: AsyncSession,
    *,
    customer_id: uuid.UUID | None = None,
    state: str | None = None,
    plan: str | None = None,
    include_deleted: bool = False,
    limit: int = 50,
    offset: int = 0,
) -> tuple[list[Tenant], int]:
    """Tenants, newest first, and how many there are in all. A state that is asked for is always included."""
    query = select(Tenant)
    if customer_id is not None:
        query = query.where(Tenant.customer_id == customer_id)
    if state is not None:
        query = query.where(Tenant.state == state)
    elif not include_deleted:
        query = query.where(Tenant.deleted_at.is_(None))
    if plan is not None:
        query = query.where(Tenant.plan == plan)
    total = (await session.execute(select(func.count()).select_from(query.subquery()))).scalar_one()
    rows = await session.scalars(query.order_by(Tenant.created_at.desc(), Tenant.id).limit(limit).offset(offset))
    return list(rows), total
