"""SQL of sign-up."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.tables.billing import Signup, Subscription
from services.tables.tenants import Operation, OperationEvent, Tenant

_HAPPENINGS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class SignupState:
    """A sign-up with what became of it."""

    signup: Signup
    subscription: Subscription | None
    tenant: Tenant | None
    events: tuple[OperationEvent, ...]


async def add(session: AsyncSession, signup: Signup) -> None:
    """Store a sign-up."""
    session.add(signup)
    await session.flush()


async def attach_checkout(session: AsyncSession, signup_id: str, *, session_id: str, url: str) -> None:
    """Remember where a sign-up is paid."""
    where = update(Signup).where(Signup.id == signup_id)
    await session.execute(where.values(checkout_session_id=session_id, checkout_url=url))


async def find(session: AsyncSession, signup_id: str) -> Signup | None:
    """A sign-up by its unguessable id."""
    return await session.get(Signup, signup_id)


async def state_of(session: AsyncSession, signup_id: str) -> SignupState | None:
    """Everything that the success page tells about; None for an unknown id."""
    signup = await find(session, signup_id)
    if signup is None:
        return None
    tenant = await session.get(Tenant, signup.tenant_id) if signup.tenant_id is not None else None
    return SignupState(
        signup=signup,
        subscription=await _subscription(session, signup_id),
        tenant=tenant,
        events=await _events(session, tenant.id) if tenant is not None else (),
    )


async def _subscription(session: AsyncSession, signup_id: str) -> Subscription | None:
    newest = select(Subscription).where(Subscription.signup_id == signup_id)
    return (await session.scalars(newest.order_by(Subscription.stripe_created_at.desc()).limit(1))).one_or_none()


async def _events(session: AsyncSession, tenant_id: uuid.UUID) -> tuple[OperationEvent, ...]:
    latest = select(Operation.id).where(Operation.tenant_id == tenant_id).order_by(Operation.created_at.desc()).limit(1)
    events = select(OperationEvent).where(OperationEvent.operation_id == latest.scalar_subquery())
    return tuple(await session.scalars(events.order_by(OperationEvent.sequence).limit(_HAPPENINGS)))
