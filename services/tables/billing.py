"""Rows of billing. Stripe is the truth; these are what was last fetched from it and what was asked before paying."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from services.kit.database.base import Base, Id, Now


class Customer(Base):
    """A person or company with a login and a Stripe customer."""

    __tablename__ = "customers"

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(index=True)
    name: Mapped[str | None]
    stripe_customer_id: Mapped[str | None] = mapped_column(unique=True)
    created_at: Mapped[Now]


class CustomerFetch(Base):
    """Turns of refetching one Stripe customer: a slower, older refetch may not write over a newer one."""

    __tablename__ = "stripe_customer_fetches"

    stripe_customer_id: Mapped[str] = mapped_column(primary_key=True)
    """Not a foreign key: the Stripe account may know customers that never bought anything here."""
    begun: Mapped[int]
    """Rises when a refetch begins."""
    applied: Mapped[int] = mapped_column(default=0, server_default="0")
    """The turn whose facts were written last."""
    applied_at: Mapped[datetime | None]


class Signup(Base):
    """What a visitor asked for, before and after paying. The id is unguessable: it opens the success page."""

    __tablename__ = "signups"

    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str]
    plan: Mapped[str]
    period: Mapped[str]
    bundle: Mapped[str]
    bundle_version: Mapped[str]
    answers: Mapped[dict[str, Any]]
    checkout_session_id: Mapped[str | None] = mapped_column(unique=True)
    checkout_url: Mapped[str | None]
    customer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("customers.id"), index=True)
    tenant_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("tenants.id"), unique=True)
    created_at: Mapped[Now]
    paid_at: Mapped[datetime | None]


class Subscription(Base):
    """A Stripe subscription as last fetched. One subscription pays for one tenant."""

    __tablename__ = "subscriptions"

    id: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("customers.id"), index=True)
    tenant_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("tenants.id"), index=True)
    signup_id: Mapped[str | None] = mapped_column(ForeignKey("signups.id"))
    status: Mapped[str]
    price_lookup_key: Mapped[str | None]
    plan: Mapped[str | None]
    period: Mapped[str | None]
    current_period_end: Mapped[datetime | None]
    cancel_at_period_end: Mapped[bool] = mapped_column(default=False, server_default="false")
    disputed_at: Mapped[datetime | None]
    wanted: Mapped[str]
    """What this subscription alone wants of its tenant: `running`, `suspended`, `absent`, or `wait` for no change."""
    wanted_reason: Mapped[str | None]
    attention: Mapped[str | None]
    """Code of what an operator must look into, for example `unknown_price`."""
    stripe_created_at: Mapped[datetime]
    fetch_version: Mapped[int] = mapped_column(default=0, server_default="0")
    fetched_at: Mapped[datetime]


class StripeEvent(Base):
    """A verified event, stored once with its raw body; its content is never applied, only its customer refetched."""

    __tablename__ = "stripe_events"
    __table_args__ = (Index("ix_stripe_events_unhandled", "received_at", postgresql_where="handled_at IS NULL"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    stripe_customer_id: Mapped[str | None] = mapped_column(index=True)
    livemode: Mapped[bool]
    stripe_created_at: Mapped[datetime]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[Now]
    handled_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    """`refetched`, `ignored` (a type that is not acted upon), `not_ours` or the code of the error that was final."""


class SweepMark(Base):
    """How far the sweep has listed Stripe's events."""

    __tablename__ = "stripe_sweeps"

    name: Mapped[str] = mapped_column(primary_key=True)
    swept_through: Mapped[datetime]
    """Events up to here were seen; the next sweep starts a little before."""
    finished_at: Mapped[datetime]
