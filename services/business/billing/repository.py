"""SQL of billing."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.business.billing.facts import CustomerFacts
from services.business.billing.stripe_events import VerifiedEvent
from services.business.notifications.outbox import owe
from services.business.notifications.schemas import Audience
from services.tables.billing import Customer, CustomerFetch, Signup, StripeEvent, Subscription, SweepMark


@dataclass(frozen=True, kw_only=True, slots=True)
class CustomerTurn:
    """One refetch of one customer: its number, and when it began by the database's clock."""

    stripe_customer_id: str
    number: int
    begun_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class LivingSubscription:
    """A stored subscription that had not ended when it was last fetched."""

    id: str
    stripe_customer_id: str
    disputed: bool


async def insert_event(session: AsyncSession, event: VerifiedEvent, *, outcome: str | None) -> bool:
    """Store an event; False when it is stored already. With an outcome it counts as handled."""
    statement = (
        insert(StripeEvent)
        .values(
            id=event.id,
            type=event.type,
            stripe_customer_id=event.customer_id,
            livemode=event.livemode,
            stripe_created_at=event.created,
            body=event.body,
            outcome=outcome,
            handled_at=func.now() if outcome is not None else None,
        )
        .on_conflict_do_nothing()
        .returning(StripeEvent.id)
    )
    return (await session.scalars(statement)).one_or_none() is not None


async def event_of(session: AsyncSession, event_id: str) -> StripeEvent | None:
    """A stored event."""
    return await session.get(StripeEvent, event_id)


async def name_customer(session: AsyncSession, event_id: str, stripe_customer_id: str) -> None:
    """Say whom an event is about, once that is known."""
    named = update(StripeEvent).where(StripeEvent.id == event_id).values(stripe_customer_id=stripe_customer_id)
    await session.execute(named)


async def finish_event(session: AsyncSession, event_id: str, outcome: str) -> None:
    """Record that one event is done with."""
    await _finish(session, StripeEvent.id == event_id, outcome)


async def finish_events_of(session: AsyncSession, turn: CustomerTurn, outcome: str) -> None:
    """Record that every event about this customer that came before the refetch began is done with.

    A later one has a job of its own waiting; what it announces may not be in these facts.
    """
    before = (StripeEvent.stripe_customer_id == turn.stripe_customer_id) & (StripeEvent.received_at <= turn.begun_at)
    await _finish(session, before, outcome)


async def _finish(session: AsyncSession, which: ColumnElement[bool], outcome: str) -> None:
    unhandled = update(StripeEvent).where(which, StripeEvent.handled_at.is_(None))
    await session.execute(unhandled.values(handled_at=func.now(), outcome=outcome))


async def unhandled_events(session: AsyncSession, *, before: datetime, limit: int) -> Sequence[StripeEvent]:
    """Events whose job seems to be lost."""
    query = select(StripeEvent).where(StripeEvent.handled_at.is_(None), StripeEvent.received_at < before)
    return (await session.scalars(query.order_by(StripeEvent.received_at).limit(limit))).all()


async def begin_turn(session: AsyncSession, stripe_customer_id: str) -> CustomerTurn:
    """The next turn of refetching this customer. Take it before asking Stripe anything."""
    statement = (
        insert(CustomerFetch)
        .values(stripe_customer_id=stripe_customer_id, begun=1)
        .on_conflict_do_update(index_elements=["stripe_customer_id"], set_={"begun": CustomerFetch.begun + 1})
        .returning(CustomerFetch.begun, func.now())
    )
    number, begun_at = (await session.execute(statement)).one()
    return CustomerTurn(stripe_customer_id=stripe_customer_id, number=number, begun_at=begun_at)


async def take_turn(session: AsyncSession, turn: CustomerTurn) -> bool:
    """Lock the customer for writing; False when a refetch that began later has written already."""
    statement = (
        update(CustomerFetch)
        .where(CustomerFetch.stripe_customer_id == turn.stripe_customer_id, CustomerFetch.applied < turn.number)
        .values(applied=turn.number, applied_at=func.now())
        .returning(CustomerFetch.applied)
    )
    return (await session.scalars(statement)).one_or_none() is not None


async def customer_of(session: AsyncSession, stripe_customer_id: str) -> Customer | None:
    """The customer row of a Stripe customer."""
    query = select(Customer).where(Customer.stripe_customer_id == stripe_customer_id)
    return (await session.scalars(query)).one_or_none()


async def save_customer(session: AsyncSession, facts: CustomerFacts, *, email: str) -> Customer:
    """Insert or update the customer row from facts."""
    statement = insert(Customer).values(
        id=uuid.uuid4(), stripe_customer_id=facts.stripe_customer_id, email=email, name=facts.name
    )
    fresh = {"email": statement.excluded.email, "name": func.coalesce(statement.excluded.name, Customer.name)}
    saved = statement.on_conflict_do_update(index_elements=["stripe_customer_id"], set_=fresh).returning(Customer)
    return (await session.scalars(saved, execution_options={"populate_existing": True})).one()


async def subscriptions_of(session: AsyncSession, customer_id: uuid.UUID) -> dict[str, Subscription]:
    """A customer's subscriptions by id."""
    rows = await session.scalars(select(Subscription).where(Subscription.customer_id == customer_id))
    return {row.id: row for row in rows}


async def save_subscription(session: AsyncSession, row: Mapping[str, Any]) -> None:
    """Insert or update a subscription."""
    statement = insert(Subscription).values(**row)
    fresh = {name: statement.excluded[name] for name in row if name != "id"}
    await session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=fresh))


async def tell_operator(
    session: AsyncSession, *, key: str, tenant_id: uuid.UUID | None, payload: dict[str, Any]
) -> None:
    """Owe the operator a message; one per `key`, however often its cause is seen."""
    await owe(
        session,
        key=key,
        audience=Audience.OPERATOR,
        tenant_id=tenant_id,
        kind="billing_needs_attention",
        payload=payload,
    )


async def signup_of(session: AsyncSession, signup_id: str, *, lock: bool = False) -> Signup | None:
    """A sign-up; with `lock` nobody else decides about it until the transaction ends."""
    query = select(Signup).where(Signup.id == signup_id)
    return (await session.scalars(query.with_for_update() if lock else query)).one_or_none()


async def living_subscriptions(session: AsyncSession) -> list[LivingSubscription]:
    """Stored subscriptions that have not ended."""
    query = (
        select(Subscription.id, Customer.stripe_customer_id, Subscription.disputed_at.is_not(None))
        .join(Customer, Customer.id == Subscription.customer_id)
        .where(Subscription.status.not_in(["canceled", "incomplete_expired"]), Customer.stripe_customer_id.is_not(None))
    )
    rows = await session.execute(query)
    return [LivingSubscription(id=key, stripe_customer_id=str(who), disputed=disputed) for key, who, disputed in rows]


async def subscription_rows(session: AsyncSession, ids: Collection[str]) -> dict[str, Subscription]:
    """Stored subscriptions by id."""
    return {row.id: row for row in await session.scalars(select(Subscription).where(Subscription.id.in_(ids)))}


async def latest_for_tenant(session: AsyncSession, tenant_id: uuid.UUID) -> Sequence[Subscription]:
    """Every subscription that pays, or paid, for a tenant."""
    return (await session.scalars(select(Subscription).where(Subscription.tenant_id == tenant_id))).all()


async def sweep_mark(session: AsyncSession, name: str) -> SweepMark | None:
    """How far a sweep has come."""
    return await session.get(SweepMark, name)


async def save_sweep_mark(session: AsyncSession, name: str, *, swept_through: datetime) -> None:
    """Move a sweep's mark."""
    statement = insert(SweepMark).values(name=name, swept_through=swept_through, finished_at=func.now())
    fresh = {"swept_through": statement.excluded.swept_through, "finished_at": func.now()}
    await session.execute(statement.on_conflict_do_update(index_elements=["name"], set_=fresh))


async def forget_answers(session: AsyncSession, tenant_id: uuid.UUID) -> None:
    """Erase what the customer told at sign-up: it served the assistant, which is gone."""
    await session.execute(update(Signup).where(Signup.tenant_id == tenant_id).values(answers={}))
