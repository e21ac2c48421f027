"""SQL of the operators' overview."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.tables.billing import Signup
from services.tables.notifications import OutboxMessage
from services.tables.tenants import Cell, Operation, Tenant


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


async def tenant_and_cell(session: AsyncSession, slug: str) -> tuple[Tenant, Cell | None] | None:
    """A tenant and what the platform gave to its cell."""
    query = select(Tenant, Cell).outerjoin(Cell, Cell.tenant_id == Tenant.id).where(Tenant.slug == slug)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else (row[0], row[1])


async def slug_of_signup(session: AsyncSession, signup_id: str) -> str | None:
    """The slug of the tenant that a sign-up became."""
    query = select(Tenant.slug).join(Signup, Signup.tenant_id == Tenant.id).where(Signup.id == signup_id)
    return (await session.scalars(query)).one_or_none()
