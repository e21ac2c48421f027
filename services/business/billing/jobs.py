"""Billing's jobs by name. One per customer waits at a time, one runs at a time: bursts of events collapse."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.business.billing.stripe_events import VerifiedEvent, parse
from services.kit.jobs.queue import Job
from services.tables.billing import StripeEvent

REFETCH: Final = "billing.refetch_customer"
RESOLVE: Final = "billing.resolve_event"
CHECK_SIGNUP: Final = "billing.check_signup"
SWEEP: Final = "billing.sweep"


def refetch(stripe_customer_id: str, *, attempt: int = 0, at: datetime | None = None) -> Job:
    """Fetch a customer from Stripe and apply what is found."""
    lock = f"customer:{stripe_customer_id}"
    args = {"stripe_customer_id": stripe_customer_id, "attempt": attempt}
    return Job(task=REFETCH, args=args, lock=lock, queueing_lock=lock, scheduled_at=at)


def resolve(event_id: str, *, attempt: int = 0, at: datetime | None = None) -> Job:
    """Find out which customer an event is about."""
    lock = f"event:{event_id}"
    return Job(task=RESOLVE, args={"event_id": event_id, "attempt": attempt}, queueing_lock=lock, scheduled_at=at)


def check_signup(signup_id: str) -> Job:
    """Ask Stripe whether a sign-up was paid, without waiting for an event."""
    return Job(task=CHECK_SIGNUP, args={"signup_id": signup_id}, queueing_lock=f"signup:{signup_id}")


def after(event: VerifiedEvent) -> Job | None:
    """What an event leads to; None when it is about nobody."""
    if event.customer_id is not None:
        return refetch(event.customer_id)
    return resolve(event.id) if event.subject is not None else None


def for_stored(row: StripeEvent) -> Job | None:
    """What a stored event still leads to."""
    if row.stripe_customer_id is not None:
        return refetch(row.stripe_customer_id)
    return after(parse(row.body))
