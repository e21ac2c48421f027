"""SQL of access."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.tables.access import ApiToken
from services.tables.billing import Customer
from services.tables.tenants import Tenant


async def add(session: AsyncSession, row: ApiToken) -> None:
    """Store a new token."""
    session.add(row)
    await session.flush()


async def by_key(session: AsyncSession, key: str) -> ApiToken | None:
    """The token with this public key."""
    return await session.get(ApiToken, key)


async def newest_first(session: AsyncSession) -> Sequence[ApiToken]:
    """All tokens, revoked ones too."""
    return (await session.scalars(select(ApiToken).order_by(ApiToken.created_at.desc(), ApiToken.key))).all()


async def mark_revoked(session: AsyncSession, key: str) -> bool:
    """Revoke a token; the first revocation's time stays. False when there is no such token."""
    revoked_at = func.coalesce(ApiToken.revoked_at, func.now())
    statement = update(ApiToken).where(ApiToken.key == key).values(revoked_at=revoked_at).returning(ApiToken.key)
    return (await session.execute(statement)).scalar_one_or_none() is not None


async def mark_used(session: AsyncSession, key: str, *, now: datetime, unless_since: datetime) -> None:
    """Note a use, unless one was noted since `unless_since` (two workers at once write one of both)."""
    stale = ApiToken.last_used_at.is_(None) | (ApiToken.last_used_at <= unless_since)
    await session.execute(update(ApiToken).where(ApiToken.key == key, stale).values(last_used_at=now))


async def tenants_of(session: AsyncSession, customer_id: uuid.UUID) -> Sequence[Tenant]:
    """A customer's tenants that are not deleted, oldest first."""
    mine = (Tenant.customer_id == customer_id) & Tenant.deleted_at.is_(None)
    return (await session.scalars(select(Tenant).where(mine).order_by(Tenant.created_at, Tenant.slug))).all()


async def customer_exists(session: AsyncSession, customer_id: uuid.UUID) -> bool:
    """True when there is such a customer."""
    return await session.scalar(select(Customer.id).where(Customer.id == customer_id)) is not None
