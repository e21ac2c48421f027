"""SQL of tenants."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.tables.tenants import Tenant


async def add(session: AsyncSession, values: Mapping[str, Any]) -> Tenant | None:
    """A new tenant; None when its slug is taken."""
    statement = insert(Tenant).values(**values).on_conflict_do_nothing(index_elements=[Tenant.slug])
    return (await session.scalars(statement.returning(Tenant))).one_or_none()


async def by_id(session: AsyncSession, tenant_id: uuid.UUID) -> Tenant | None:
    """One tenant, deleted ones too."""
    return await session.get(Tenant, tenant_id)


async def locked(session: AsyncSession, tenant_id: uuid.UUID) -> Tenant | None:
    """The tenant's row as it is now, which nobody else changes before this transaction ends."""
    query = select(Tenant).where(Tenant.id == tenant_id).with_for_update()
    return (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()


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
    limit: int | None = 50,
    offset: int = 0,
) -> tuple[list[Tenant], int]:
    """Tenants, newest first, and how many there are in all. A state that is asked for is always included.

    `limit` None: all of them.
    """
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
