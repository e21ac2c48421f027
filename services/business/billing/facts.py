"""What was fetched from Stripe about one customer, reduced to what decides. Pure data; times are UTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceFact:
    """A price as a subscription names it."""

    id: str
    lookup_key: str | None = None
    original_lookup_key: str | None = None
    """From the price's metadata: a lookup key moves to a new price when an amount changes, the metadata stays."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SubscriptionFact:
    """A subscription as Stripe showed it."""

    id: str
    customer_id: str
    status: str
    created: datetime
    prices: tuple[PriceFact, ...]
    item_ids: tuple[str, ...] = ()
    signup_id: str | None = None
    current_period_end: datetime | None = None
    ends_at_period_end: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionFact:
    """A Checkout Session."""

    id: str
    status: str | None
    payment_status: str
    customer_id: str | None = None
    subscription_id: str | None = None
    signup_id: str | None = None
    email: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DisputeFact:
    """A payment that the customer's bank took back or may take back."""

    id: str
    status: str
    created: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class CustomerFacts:
    """Everything about one Stripe customer, fetched in one go."""

    stripe_customer_id: str
    email: str | None = None
    name: str | None = None
    deleted: bool = False
    subscriptions: tuple[SubscriptionFact, ...] = ()
    sessions: tuple[SessionFact, ...] = ()
    disputes: tuple[DisputeFact, ...] = field(default=())

    def signup_of(self, subscription: SubscriptionFact) -> str | None:
        """The sign-up that a subscription pays for: its own metadata, else that of the session which made it."""
        if subscription.signup_id is not None:
            return subscription.signup_id
        named = (session.signup_id for session in self.sessions if session.subscription_id == subscription.id)
        return next((signup_id for signup_id in named if signup_id is not None), None)

    def contact(self) -> str | None:
        """The customer's e-mail address, from the customer or from checkout."""
        addresses = (self.email, *(session.email for session in self.sessions))
        return next((address for address in addresses if address), None)
