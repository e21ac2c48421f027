"""SQL of notifications."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.tables.billing import Customer
from services.tables.notifications import OutboxMessage
from services.tables.tenants import Tenant


async def next_due(session: AsyncSession, *, now: datetime) -> OutboxMessage | None:
    """The oldest message that is due, locked; one that another deliverer holds is passed over."""
    due = or_(OutboxMessage.retry_at.is_(None), OutboxMessage.retry_at <= now)
    statement = select(OutboxMessage).where(OutboxMessage.sent_at.is_(None), due).order_by(OutboxMessage.created_at)
    return (await session.scalars(statement.limit(1).with_for_update(skip_locked=True))).first()


async def address_of(session: AsyncSession, message: OutboxMessage) -> str | None:
    """E-mail address of the customer that a message is for."""
    if message.audience != "customer" or message.tenant_id is None:
        return None
    statement = select(Customer.email).join(Tenant, Tenant.customer_id == Customer.id)
    return await session.scalar(statement.where(Tenant.id == message.tenant_id))
