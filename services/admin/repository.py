"""SQL of the operators' overview."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.tables import OutboxMessage
from services.provisioner.tables import Operation, Tenant


async def tenants_by_state(session: AsyncSession) -> dict[str, int]:
    """How many tenants are in each state."""
    rows = (await session.execute(select(Tenant.state, func.count()).group_by(Tenant.state))).all()
    return {state: count for state, count in rows}  # noqa: C416 - rows are not pairs to a type checker


async def operations_by_status(session: AsyncSession) -> dict[str, int]:
    """How operations ended, and how many run."""
    rows = (await session.execute(select(Operation.status, func.count()).group_by(Operation.status))).all()
    return {status: count for status, count in rows}  # noqa: C416 - as above


async def unsent_messages(session: AsyncSession) -> int:
    """Messages that are still owed to somebody."""
    return (await session.execute(select(func.count()).where(OutboxMessage.sent_at.is_(None)))).scalar_one()
